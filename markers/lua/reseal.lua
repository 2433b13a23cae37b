-- Puts newly sealed bytes in the place of the very bytes they were made from: no version and no position moves, and
-- what somebody else changed meanwhile is left alone.
-- KEYS: hash. ARGV: field, bytes it holds now, bytes it shall hold; and so on.
-- Replies how many were put in place.

local done = 0
for at = 1, #ARGV, 3 do
  if redis.call('HGET', KEYS[1], ARGV[at]) == ARGV[at + 1] then
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 2])
    done = done + 1
  end
end
return done
