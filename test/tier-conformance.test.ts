// The memory tier keeps to what every second tier has to, so that what is tested against it means something.
import { describe, test } from "vitest";
import { MemoryStore, MemoryTier, type TiersUnderTest, tierChecks } from "../ts/testing/index.js";

async function makeTiers(): Promise<TiersUnderTest> {
  const store = new MemoryStore();
  let now = 0;
  store.now = () => now;
  return {
    first: new MemoryTier(store),
    second: new MemoryTier(store),
    wait: async (ms) => {
      now += ms;
    },
    end: async () => {},
  };
}

describe("a tier in memory", () => {
  for (const { name, run } of tierChecks) {
    test(name, () => run(makeTiers));
  }
});
