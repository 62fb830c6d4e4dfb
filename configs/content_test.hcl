# What content.hcl is meant to say. Run: ftpgw policy test content.hcl

test "a record" {
  device = "relay-12"
  op     = "upload"
  path   = "/events/fault-0042.cff"
  type   = "comtrade"
  expect = "allow"
  rule   = "records"
}

test "what a record is shows at its end" {
  device = "relay-12"
  op     = "upload"
  path   = "/events/fault-0042.cff"
  expect = "pending"
}

test "what only looks like a record" {
  device = "relay-12"
  op     = "upload"
  path   = "/events/fault-0042.cfg"
  type   = "text"
  expect = "deny"
  rule   = "records"
}

test "a program under any name" {
  device = "relay-12"
  op     = "upload"
  path   = "/events/fault-0042.cfg"
  type   = "elf"
  expect = "deny"
  rule   = "no-programs"
}

test "packed records" {
  device = "relay-12"
  op     = "upload"
  path   = "/events/MARCH.ZIP"
  type   = "zip"
  expect = "allow"
  rule   = "packed-records"
}

test "an image is handed on" {
  device = "station-pc"
  op     = "upload"
  path   = "/firmware/v7.bin"
  expect = "allow"
  rule   = "released-firmware"
}
