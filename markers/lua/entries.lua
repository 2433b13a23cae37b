-- Ledger entries by number. KEYS: ledger. ARGV: sequence numbers. Replies one entry, or {}, for each.

local told = {}
for n, sequence in ipairs(ARGV) do
  told[n] = redis.call('XRANGE', KEYS[1], sequence .. '-0', sequence .. '-0')[1] or {}
end
return told
