// Deadlines: one timer for all, and none passes before the sockets had their turn.
import { expect, test } from "vitest";
import { DeadlinePassed, Deadlines } from "../../ts/redis/deadlines.js";
import { FakeClock, turn } from "../support/fake-clock.js";

const never = () => new Promise<never>(() => undefined);

/** How a promise has settled so far. */
function stateOf(promise: Promise<unknown>): { now: string } {
  const state = { now: "open" };
  promise.then(
    () => {
      state.now = "done";
    },
    (error: unknown) => {
      state.now = error instanceof DeadlinePassed ? "passed" : "failed";
    },
  );
  return state;
}

test("a thousand deadlines have one timer, and each passes in its own time", async () => {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock, 50);
  const early = Array.from({ length: 1_000 }, () => stateOf(deadlines.start().race(never())));
  clock.advance(20);
  const late = stateOf(deadlines.start().race(never()));
  expect(clock.timers).toBe(1);
  clock.advance(30);
  await turn();
  expect([...new Set(early.map(({ now }) => now)), late.now]).toEqual(["passed", "open"]);
  clock.advance(20);
  await turn();
  expect(late.now).toBe("passed");
  expect(clock.timers).toBe(0);
});

test("what is done in time is not disturbed", async () => {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock, 50);
  const deadline = deadlines.start();
  expect(await deadline.race(Promise.resolve("reply"))).toBe("reply");
  deadline.end();
  clock.advance(100);
  await turn();
  expect(() => deadline.check()).not.toThrow();
  const failed = deadlines.start();
  await expect(failed.race(Promise.reject(new Error("refused")))).rejects.toThrow("refused");
});

test("a deadline that is due waits for one look at the sockets, as the thread may have been busy", async () => {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock, 50);
  let reply: (value: string) => void = () => undefined;
  const waiting = deadlines.start().race(new Promise<string>((resolve) => (reply = resolve)));
  setImmediate(() => reply("it was there already"));
  clock.advance(5_000);
  expect(await waiting).toBe("it was there already");
});

test("what passed begins nothing more, and tells those who wait for its end", async () => {
  const clock = new FakeClock();
  const deadline = new Deadlines(clock, 50).start();
  const ends: string[] = [];
  deadline.onEnd(() => ends.push("ended"));
  clock.advance(50);
  await turn();
  expect(() => deadline.check()).toThrow("no answer within 50 ms");
  deadline.onEnd(() => ends.push("at once"));
  deadline.end();
  expect(ends).toEqual(["ended", "at once"]);
});
