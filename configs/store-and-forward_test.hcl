# What store-and-forward.hcl is meant to say. Run: ftpgw policy test store-and-forward.hcl

test "a recorder files a fault record" {
  device = "recorder-1"
  op     = "upload"
  path   = "/2026/fault-0042.cfg"
  expect = "allow"
  rule   = "fault-records"
}

test "a logger goes on with its log" {
  device = "logger-1"
  op     = "append"
  path   = "/pump-1.log"
  expect = "allow"
  rule   = "logs"
}

test "nothing is removed by a device" {
  device = "logger-1"
  op     = "delete"
  path   = "/pump-1.log"
  expect = "deny"
  rule   = ""
}
