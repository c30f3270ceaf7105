-- Prints exactly what wrk counted, as lines that begin with "speedup:", and sets the request's method and body. For one
-- request, only `init` and `done` are defined, so that none of this runs while wrk measures: the request is made once.
-- For a mix, `request` returns the next one of a cycle that is made beforehand.

local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

-- The file has the number of requests; each one's length and its bytes; and the cycle, as numbers from 1 on.
local function cycle_in(name)
  local file = assert(io.open(name, "rb"))
  local requests, cycle = {}, {}
  for index = 1, file:read("*n") do
    local length = file:read("*n", 1)
    requests[index] = file:read(length)
  end
  for index in file:read("*a"):gmatch("%d+") do cycle[#cycle + 1] = requests[tonumber(index)] end
  file:close()
  return cycle
end

local function send_mix(name)
  local cycle = cycle_in(name)
  local size = #cycle
  local at = (number - 1) * 389 % size -- threads begin at different places
  function request()
    at = at + 1
    if at > size then at = 1 end
    return cycle[at]
  end
end

function init(words)
  if words[1] == "mix" then return send_mix(words[2]) end
  if words[1] then wrk.method = words[1] end
  if words[2] and words[2] ~= "" then
    local file = assert(io.open(words[2], "rb"))
    wrk.body = file:read("*a")
    file:close()
  end
end

-- Reads wrk's statistics as laid out in its src/stats.h (4.1, 4.2); checked against wrk's own figures before use.
local function counts_by_ffi(latency)
  local ffi = require("ffi")
  ffi.cdef "typedef struct { uint64_t count, limit, min, max; uint64_t data[1]; } speedup_stats;"
  local stats = ffi.cast("speedup_stats **", latency)[0]
  local least, most = tonumber(stats.min), tonumber(stats.max)
  if least ~= latency.min or most ~= latency.max or most >= tonumber(stats.limit) then return nil end
  local counts, sum = {}, 0
  for value = 0, most do
    local count = tonumber(stats.data[value])
    if count ~= 0 then
      counts[#counts + 1] = value .. ":" .. count
      sum = sum + count
    end
  end
  if sum ~= tonumber(stats.count) or #counts ~= #latency then return nil end
  return counts
end

-- The documented way; wrk scans the histogram again for every value.
local function counts_by_index(latency)
  local counts = {}
  for index = 1, #latency do
    local value, count = latency(index)
    counts[index] = tonumber(value) .. ":" .. tonumber(count)
  end
  return counts
end

local function histogram(latency, requests)
  if requests == 0 or #latency == 0 then return {}, "none" end
  local ok, counts = pcall(counts_by_ffi, latency)
  if ok and counts then return counts, "ffi" end
  return counts_by_index(latency), "index"
end

function done(summary, latency, requests)
  local cpu_s = os.clock() -- before anything else: the cost of printing is not part of the load
  local errors = summary.errors
  local counts, way = histogram(latency, summary.requests)
  io.write(string.format(
    "speedup:summary cpu_us=%.0f duration_us=%d requests=%d bytes=%.0f connect=%d read=%d write=%d status=%d " ..
      "timeout=%d histogram=%s\n",
    cpu_s * 1e6, summary.duration, summary.requests, summary.bytes, errors.connect, errors.read, errors.write,
    errors.status, errors.timeout, way))
  io.write("speedup:histogram ", table.concat(counts, " "), "\n")
end
