// What an application meets where the addon is missing: its import works, its first cache does not. Prints the error.
import { createCache, NativeAddonError } from "nearcache";

try {
  createCache({ maxMemory: "16mb", ttl: "1h" });
} catch (error) {
  const { code, reason, platform, message } = error;
  console.log(JSON.stringify({ typed: error instanceof NativeAddonError, code, reason, platform, message }));
}
