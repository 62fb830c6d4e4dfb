# What firmware-relay.hcl is meant to say. Run: ftpgw policy test firmware-relay.hcl

test "an RTU fetches an image" {
  device = "rtu-560"
  from   = "10.20.1.9"
  op     = "download"
  path   = "/RTU560-V7.BIN"
  size   = "9MiB"
  expect = "allow"
  rule   = "firmware"
}

test "an image is never that large" {
  device = "rtu-560"
  from   = "10.20.1.9"
  op     = "download"
  path   = "/v7.bin"
  size   = "129MiB"
  expect = "deny"
  rule   = "nothing-else"
}

test "an RTU looks for the newest image" {
  device = "rtu-560"
  from   = "10.20.1.9"
  op     = "list"
  path   = "/"
  expect = "allow"
  rule   = "find-firmware"
}

test "nothing comes in this way" {
  device = "rtu-560"
  from   = "10.20.1.9"
  op     = "upload"
  path   = "/v7.bin"
  expect = "deny"
  rule   = "nothing-else"
}
