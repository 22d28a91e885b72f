/**
 * For those who build a second tier, or test against one: what every tier has to keep to, and one in memory.
 * @packageDocumentation
 * @module nearcache/testing
 */
export { type TierCheck, type TiersUnderTest, tierChecks } from "./conformance.js";
export { MemoryStore, MemoryTier } from "./memory-tier.js";
