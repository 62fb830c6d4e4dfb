# What the files of this directory are meant to say. Run: ftpgw policy test two-zones

test "a relay files a record" {
  device = "relay-12"
  zone   = "bay-7"
  op     = "upload"
  path   = "/events/2026/fault-0042.cfg"
  expect = "allow"
  rule   = "disturbance-records"
}

test "a relay has no business in the yard" {
  device = "relay-12"
  zone   = "yard"
  op     = "upload"
  path   = "/events/2026/fault-0042.cfg"
  expect = "deny"
  rule   = ""
}

test "a camera makes a directory for each day" {
  device = "camera-yard"
  zone   = "yard"
  op     = "mkdir"
  path   = "/2026-03-01"
  expect = "allow"
  rule   = "clips"
}

test "a clip is never that large" {
  device = "camera-gate"
  zone   = "yard"
  op     = "upload"
  path   = "/2026-03-01/clip.mp4"
  size   = "501 MB"
  expect = "deny"
}

test "a meter files its load profile" {
  device = "meter-1"
  zone   = "yard"
  from   = "10.8.2.77"
  op     = "upload"
  path   = "/load.csv"
  size   = "40kB"
  expect = "allow"
  rule   = "readings"
}

test "a meter that has lost its clock" {
  device = "meter-1"
  zone   = "yard"
  from   = "10.8.2.77"
  op     = "upload"
  path   = "/load.csv"
  size   = 0
  expect = "deny"
  rule   = ""
}
