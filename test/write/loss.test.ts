// What is lost when a process ends with writes under way, by pattern and ending. Real processes, really killed.
import { expect, test } from "vitest";
import { countLosses } from "../../scripts/write-loss/run.mjs";

/** The default of `maxPending`. */
const MAX_PENDING = 1_000;

test("write-through has nothing to lose, not even to SIGKILL", async () => {
  expect(await countLosses("through", "killed", 200)).toMatchObject({ lost: 0, handedOver: 0 });
});

test("write-behind loses at most maxPending writes to SIGKILL", async () => {
  const { reported, lost } = await countLosses("behind", "killed", 3_000);
  expect(reported).toBeGreaterThanOrEqual(3_000);
  expect(lost).toBeLessThanOrEqual(MAX_PENDING);
});

test.each(["exit", "uncaught"] as const)(
  "write-behind hands over what waits when the process ends by %s",
  async (ending) => {
    const { reported, stored, handedOver, lost } = await countLosses("behind", ending);
    expect({ reported, lost }).toEqual({ reported: 250, lost: 0 });
    expect(handedOver).toBeGreaterThan(0);
    expect(stored + handedOver).toBeGreaterThanOrEqual(reported);
  },
);

test("write-behind delivers everything before a process ends that has nothing else to do", async () => {
  expect(await countLosses("behind", "idle")).toEqual({ reported: 250, stored: 250, handedOver: 0, lost: 0 });
});
