-- Rows of a backup put in their place, or compared with what lies there.
-- KEYS: records and tokens of a collection, or a stream. ARGV: 'put' | 'compare', 'records' | 'ledger' | 'checkpoints',
-- the sequence number before the first row, rows: two texts each, each behind its length in four bytes.
-- Replies {rows put, or found there as they are; tokens they hold}.

local put, kind, before, rows = ARGV[1] == 'put', ARGV[2], tonumber(ARGV[3]), ARGV[4]
local done, tokens, at = 0, 0, 1
while at <= #rows do
  local first, second, same
  first, second, at = struct.unpack('>I4c0I4c0', rows, at)
  before = before + 1
  if kind == 'records' then
    local held = string.match(second, '^%d+ ([%x,]*):')
    if not held then
      return redis.error_reply('a row is not a record')
    end
    same = put or redis.call('HGET', KEYS[1], first) == second
    if put then
      redis.call('HSET', KEYS[1], first, second)
    end
    for token in string.gmatch(held, '%x+') do
      tokens = tokens + 1
      if put then
        redis.call('HSET', KEYS[2], token, first)
      else
        same = same and redis.call('HGET', KEYS[2], token) == first
      end
    end
  elseif kind == 'ledger' then
    local id = whole(before) .. '-0'
    if put then
      redis.call('XADD', KEYS[1], id, 'id', first, 'entry', second)
    else
      local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
      same = entry and #entry[2] == 4 and entry[2][2] == first and entry[2][4] == second
    end
  else
    local id = first .. '-0'
    if put then
      redis.call('XADD', KEYS[1], id, 'note', second)
    else
      local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
      same = entry and #entry[2] == 2 and entry[2][2] == second
    end
  end
  if put or same then
    done = done + 1
  end
end
return {done, tokens}
