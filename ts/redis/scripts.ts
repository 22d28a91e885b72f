/**
 * The Lua scripts: what must be one step for everybody. Each works on keys of one slot, so all of them run in a Cluster.
 * What the header looks like says format.ts; Lua counts from 1, so a field at 8 begins at 9.
 *
 * Numbers that two machines compare come from here, by the server's clock or counted up from it: if Redis loses one, the
 * next is larger than any before, and what hung on the old one is invalid rather than valid by accident.
 */
import { createHash } from "node:crypto";

/** A script, and the digest by which Redis knows it. */
export interface Script {
  readonly name: string;
  readonly text: string;
  readonly sha: string;
}

function script(name: string, text: string): Script {
  return { name, text, sha: createHash("sha1").update(text).digest("hex") };
}

/** Reads a header, and takes everything that is none for nothing. */
const HEAD = `
local function head(key)
  local found = redis.pcall('GETRANGE', key, 0, 63)
  if type(found) ~= 'string' or #found < 32 or string.sub(found, 1, 3) ~= 'nc\\1' then return '' end
  return found
end
local function micros()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end
local function nextRevision(found)
  if found == '' then return micros() end
  return math.max(micros(), struct.unpack('>d', found, 9) + 1)
end
local function isPlaceholder(found) return string.byte(found, 4) % 2 == 1 end
`;

/**
 * `KEYS`: the version and the tag clock. Both, made now where they are not there: in microseconds, as neither is
 * moved a million times a second.
 */
export const STATE = script(
  "state",
  `
local out = {}
for i = 1, #KEYS do
  out[i] = redis.call('GET', KEYS[i])
  if not out[i] then
    local time = redis.call('TIME')
    out[i] = string.format('%.0f', time[1] * 1000000 + time[2])
    redis.call('SET', KEYS[i], out[i])
  end
end
return out`,
);

/** `KEYS`: the version or the tag clock, to be moved. The new value. */
export const ADVANCE = script(
  "advance",
  `
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('INCR', KEYS[1])
  return redis.call('GET', KEYS[1]) -- as text: Lua shows large numbers rounded
end
local time = redis.call('TIME')
local value = string.format('%.0f', time[1] * 1000000 + time[2])
redis.call('SET', KEYS[1], value)
return value`,
);

/** `KEYS`: entries. For each its bytes and what is left of its life in ms; 0 and 0 where it is of a foreign type. */
export const READ = script(
  "read",
  `
local out = {}
for i = 1, #KEYS do
  local value = redis.pcall('GET', KEYS[i])
  if type(value) == 'table' then
    out[2 * i - 1] = 0
    out[2 * i] = 0
  else
    out[2 * i - 1] = value
    out[2 * i] = value and redis.call('PTTL', KEYS[i]) or -2
  end
end
return out`,
);

/** `KEYS`: entries. The revision of each, zeros where there is none. */
export const REVISIONS = script(
  "revisions",
  `${HEAD}
local out = {}
for i = 1, #KEYS do
  local found = head(KEYS[i])
  out[i] = found == '' and string.rep('\\0', 8) or string.sub(found, 9, 16)
end
return out`,
);

/**
 * `KEYS`: an entry. `ARGV`: the revision that the caller saw (zeros: nothing), milliseconds, a token, the head of a
 * placeholder. Returns whether the lease was taken (1), is somebody else's (0), or the key is no longer what the caller
 * saw (2); and the key's revision.
 */
export const LEASE = script(
  "lease",
  `${HEAD}
local found = head(KEYS[1])
if found == '' then
  if ARGV[1] ~= string.rep('\\0', 8) then return {2, ''} end
  local revision = struct.pack('>d', nextRevision(found))
  local placeholder = ARGV[4] .. revision .. string.rep('\\0', 8) .. ARGV[3] .. string.rep('\\0', 32)
  redis.call('SET', KEYS[1], placeholder, 'PX', ARGV[2])
  return {1, revision}
end
local revision = string.sub(found, 9, 16)
if isPlaceholder(found) then return {0, revision} end
if revision ~= ARGV[1] then return {2, revision} end
local now = micros()
if struct.unpack('>d', found, 17) > now then return {0, revision} end
revision = struct.pack('>d', nextRevision(found))
redis.call('SETRANGE', KEYS[1], 8, revision .. struct.pack('>d', now + ARGV[2] * 1000) .. ARGV[3])
return {1, revision}`,
);

/**
 * `KEYS`: an entry. `ARGV`: a token. Gives the lease back if it is still its holder's (0: it was not). The key is then
 * gone (1), or as it was without the lease (2).
 */
export const RELEASE = script(
  "release",
  `${HEAD}
local found = head(KEYS[1])
if found == '' or string.sub(found, 25, 32) ~= ARGV[1] then return 0 end
if isPlaceholder(found) then return redis.call('UNLINK', KEYS[1]) end
redis.call('SETRANGE', KEYS[1], 16, string.rep('\\0', 16))
return 2`,
);

/**
 * `KEYS`: an entry. `ARGV`: the condition (`any`; `revision`: the key still has this one; `lease`: the lease is still
 * this token's), its operand, milliseconds to live (0: no end), the bytes before and after the revision. The
 * entry's revision, empty if it was not stored.
 */
export const STORE = script(
  "store",
  `${HEAD}
local found = head(KEYS[1])
if ARGV[1] == 'revision' then
  local revision = found == '' and string.rep('\\0', 8) or string.sub(found, 9, 16)
  if revision ~= ARGV[2] then return '' end
elseif ARGV[1] == 'lease' then
  if found == '' or string.sub(found, 25, 32) ~= ARGV[2] then return '' end
end
local revision = struct.pack('>d', nextRevision(found))
local value = ARGV[4] .. revision .. ARGV[5]
if ARGV[3] == '0' then redis.call('SET', KEYS[1], value) else redis.call('SET', KEYS[1], value, 'PX', ARGV[3]) end
return revision`,
);

/**
 * `KEYS`: an entry. Makes it stale for what is left of its life, and cancels its lease. Its revision, zeros if it is not
 * there.
 */
export const EXPIRE = script(
  "expire",
  `${HEAD}
local found = head(KEYS[1])
local nothing = string.rep('\\0', 8)
if found == '' then return nothing end
if isPlaceholder(found) then
  redis.call('UNLINK', KEYS[1])
  return nothing
end
local flags = string.byte(found, 4)
if flags % 4 < 2 then flags = flags + 2 end
local revision = struct.pack('>d', nextRevision(found))
local changed = string.char(flags) .. string.sub(found, 5, 8) .. revision
redis.call('SETRANGE', KEYS[1], 3, changed .. string.rep('\\0', 16))
return revision`,
);

/**
 * `KEYS`: tags. `ARGV`: the tag clock, the milliseconds that they must last at least (0: for ever). When each was
 * invalidated last; those that are not there are made as if they were invalidated now.
 */
export const KEEP_TAGS = script(
  "keepTags",
  `
local out = {}
for i = 1, #KEYS do
  local ttl = redis.call('PTTL', KEYS[i])
  if ttl == -2 then
    redis.call('SET', KEYS[i], ARGV[1])
    if ARGV[2] ~= '0' then redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
  elseif ttl >= 0 and ARGV[2] == '0' then
    redis.call('PERSIST', KEYS[i])
  elseif ttl >= 0 and ttl < tonumber(ARGV[2]) then
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
  end
  out[i] = redis.call('GET', KEYS[i])
end
return out`,
);

/** `KEYS`: tags. `ARGV`: the tag clock as it is since this invalidation, and how long a tag lasts at least. */
export const INVALIDATE_TAGS = script(
  "invalidateTags",
  `
for i = 1, #KEYS do
  local ttl = redis.call('PTTL', KEYS[i])
  local last = redis.call('GET', KEYS[i])
  if not last or tonumber(last) < tonumber(ARGV[1]) then redis.call('SET', KEYS[i], ARGV[1]) end
  if ttl ~= -1 then redis.call('PEXPIRE', KEYS[i], string.format('%.0f', math.max(ttl, tonumber(ARGV[2])))) end
end
return #KEYS`,
);
