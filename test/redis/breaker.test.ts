// The circuit breaker, without Redis: when it opens, whom it lets probe, and how it closes.
import { describe, expect, test } from "vitest";
import { Breaker } from "../../ts/redis/breaker.js";

function newBreaker(settings: Partial<{ failures: number; windowMs: number; probeAfterMs: number }> = {}) {
  const changes: string[] = [];
  let now = 1_000;
  const breaker = new Breaker(
    { failures: 3, windowMs: 1_000, probeAfterMs: 500, ...settings },
    () => now,
    (from, to) => changes.push(`${from} -> ${to}`),
  );
  return {
    breaker,
    changes,
    pass: (ms: number) => {
      now += ms;
    },
    fail: (times: number) => {
      for (let i = 0; i < times; i++) breaker.failed();
    },
  };
}

describe("a closed breaker", () => {
  test("opens after so many failures in a row, and says so", () => {
    const { breaker, changes, fail } = newBreaker();
    fail(2);
    expect(breaker.isClosed).toBe(true);
    fail(1);
    expect(breaker.state).toBe("open");
    expect(changes).toEqual(["closed -> open"]);
  });

  test("begins to count anew after a success", () => {
    const { breaker, fail } = newBreaker();
    for (let i = 0; i < 10; i++) {
      fail(2);
      breaker.succeeded();
    }
    expect(breaker.state).toBe("closed");
  });

  test("does not take failures together that lie further apart than the window", () => {
    const { breaker, fail, pass } = newBreaker();
    for (let i = 0; i < 10; i++) {
      fail(1);
      pass(501);
    }
    expect(breaker.state).toBe("closed");
    fail(1);
    pass(400);
    fail(1);
    expect(breaker.state).toBe("open");
  });

  test("opens at the first failure where one is enough", () => {
    const { breaker, fail } = newBreaker({ failures: 1 });
    fail(1);
    expect(breaker.state).toBe("open");
  });
});

describe("an open breaker", () => {
  test("asks for no probe before its time, then for one", () => {
    const { breaker, changes, fail, pass } = newBreaker();
    fail(3);
    pass(499);
    expect(breaker.beginProbe()).toBe(false);
    pass(1);
    expect([breaker.beginProbe(), breaker.beginProbe(), breaker.beginProbe()]).toEqual([true, false, false]);
    expect(breaker.isClosed).toBe(false);
    expect(changes).toEqual(["closed -> open", "open -> half-open"]);
  });

  test("does not wait where there is reason to believe that the other side is back", () => {
    const { breaker, fail } = newBreaker();
    fail(3);
    breaker.expectRecovery();
    expect(breaker.beginProbe()).toBe(true);
  });

  test("ignores the outcomes of what began before it opened", () => {
    const { breaker, fail, pass } = newBreaker();
    fail(3);
    pass(499);
    fail(1);
    breaker.succeeded();
    breaker.probed(true);
    expect(breaker.state).toBe("open");
    pass(1);
    expect(breaker.beginProbe()).toBe(true);
  });
});

describe("a half-open breaker", () => {
  test("closes after a good probe, and has forgotten the failures", () => {
    const { breaker, changes, fail, pass } = newBreaker();
    fail(3);
    pass(500);
    breaker.beginProbe();
    breaker.probed(true);
    fail(2);
    expect(breaker.state).toBe("closed");
    expect(changes.slice(2)).toEqual(["half-open -> closed"]);
  });

  test("opens again after a bad probe, for the whole time", () => {
    const { breaker, changes, fail, pass } = newBreaker();
    fail(3);
    pass(500);
    breaker.beginProbe();
    pass(50);
    breaker.probed(false);
    pass(499);
    expect(breaker.beginProbe()).toBe(false);
    pass(1);
    expect(breaker.beginProbe()).toBe(true);
    expect(changes.slice(2)).toEqual(["half-open -> open", "open -> half-open"]);
  });
});
