// The numbers of the demo, in one place.

export const SERVER_THREADS = 2;
/** Connections of the load generator to each server thread; each sends its next request when it has the answer. */
export const CONNECTIONS_PER_SERVER = 16;
/** Before the first measured phase: V8 compiles what is hot. */
export const WARM_UP_MS = 1_000;
/** How long both phases take together, and the share of the first: the second one starts with an empty cache. */
export const SECONDS_DEFAULT = 13;
export const SECONDS_MIN = 1;
export const SECONDS_MAX = 600;
export const WITHOUT_CACHE_SHARE = 0.45;
/** How often the threads report; the live view shows each report. */
export const REPORT_MS = 500;

/** The skew of the popularity (Zipf's exponent). */
export const SKEW = 0.9;
/** After so many requests one of the popular products changes places with another. */
export const SHIFT_EVERY_REQUESTS = 40;
export const SHIFT_AMONG_TOP = 300;
export const SEED = 42;

/** A price changes so often, and its page is deleted from the cache. */
export const PRICE_CHANGE_MS = 40;
/** A page that was being rendered during the change is gone after this long, too; no page takes as long. */
export const SECOND_DELETE_MS = 500;

/** Too small for all pages on purpose: what is not asked for has to go. */
export const CACHE_OPTIONS = { name: "pages", maxMemory: "24mb", ttl: "5m" };
