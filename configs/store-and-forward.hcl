# A pump station at the end of a slow link that is down for days.
#
# Loggers and meters upload their files once, try for a few minutes if that fails, and then discard them. So the gateway tells them
# "226 Transfer complete" when a file is durable on its own disk, and delivers it to the control centre when the link is there.
#
#   logger ---FTP---> [ station | gateway + spool ] ~ ~ ~ SFTP ~ ~ ~> server
#
# What waits, and what is in trouble:
#   ftpgw status --config store-and-forward.hcl
#   ftpgw spool list --config store-and-forward.hcl

zone "station" {
  listen        = "10.20.0.1:21"
  passive_ports = "50000-50099"
}

conduit "control-centre" {
  address         = "sftp.control.example:22"
  user            = "station-20"
  identity        = "id_ed25519"
  known_hosts     = "known_hosts"
  root            = "/ingest/station-20"
  request_timeout = "2m" # the link is slow
}

audit {
  dir = "/var/lib/ftpgw/audit"
}

spool {
  dir      = "/var/lib/ftpgw/spool"
  max_size = "20GiB"
  keep     = "30d" # delivered files stay this long, as evidence
}

# The password of these examples is "example-password": change it.
device "logger-1" {
  password_hash = "$2a$10$ejrtd61pQLn7g6ZqyMH8KerQYxqduBTjcUEM5JAtAR5/o.zP0/q1m"
  from          = ["10.20.0.11/32"]
}

device "recorder-1" {
  password_hash = "$2a$10$ejrtd61pQLn7g6ZqyMH8KerQYxqduBTjcUEM5JAtAR5/o.zP0/q1m"
  from          = ["10.20.0.12/32"]
}

# A fault recorder writes several files for one event. They appear on the server together, the .cfg last.
rule "fault-records" {
  reason  = "PRC-002: fault records leave the station"
  devices = ["recorder-*"]
  allow   = ["upload", "list", "rename", "mkdir"]
  paths   = ["/**"]

  deliver {
    acknowledge = "spooled"
    set         = "comtrade"
    set_timeout = "15m"
    set_overdue = "publish" # a part of a record is better than none
  }
}

rule "logs" {
  reason  = "hourly logs of the pumps, for billing"
  devices = ["logger-*"]
  allow   = ["upload", "append", "list", "rename", "mkdir"]
  paths   = ["/**"]

  deliver {
    acknowledge = "spooled"
    offline     = "spool" # a logger that lists its directory sees what it has sent, link or no link
    verify      = "readback"
  }
}
