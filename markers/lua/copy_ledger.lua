-- Appends resealed entries to the second ledger, if it still ends where the caller saw it end.
-- KEYS: second ledger. ARGV: its last sequence; then an entry: sequence, number of parts, parts.
-- Replies its last sequence, after the entries or as found.

local last = last_of(KEYS[1])
if whole(last) ~= ARGV[1] then
  return whole(last)
end
local at = 2
while at < #ARGV do
  local parts = tonumber(ARGV[at + 1])
  redis.call('XADD', KEYS[1], ARGV[at] .. '-0', unpack(ARGV, at + 2, at + 1 + parts))
  last, at = tonumber(ARGV[at]), at + 2 + parts
end
return whole(last)
