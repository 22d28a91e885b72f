// Types of the entry points for other packages, which are installed beside.
export type * as cacheManager from "nearcache/cache-manager";
export type * as express from "nearcache/express";
export type * as fastify from "nearcache/fastify";
export type * as keyv from "nearcache/keyv";
export type * as opentelemetry from "nearcache/opentelemetry";
export type * as prometheus from "nearcache/prometheus";
export type * as testing from "nearcache/testing";
