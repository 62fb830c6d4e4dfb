# Firmware goes to RTUs, and nothing comes back.
#
# RTUs fetch their firmware by FTP from a directory that engineering fills on an SFTP server. They can list and download there; every
# other command is refused, so that an RTU that is taken over cannot use the way back.
#
#   RTU <---FTP--- [ field | gateway | engineering ] <---SFTP--- server
#
# Before you start: the same four commands as in substation.hcl.

zone "field" {
  listen        = "10.20.0.1:21"
  passive_ports = "50000-50031" # 32 RTUs at once
  idle_timeout  = "2m"
  stall_timeout = "3m" # some RTUs write their flash while they receive
}

conduit "engineering" {
  address     = "firmware.engineering.example:22"
  user        = "ftpgw"
  identity    = "id_ed25519"
  known_hosts = "known_hosts"
  root        = "/firmware/released"
  connections = 2
}

audit {
  dir = "/var/lib/ftpgw/audit"
}

# All RTUs of one type share a login, which RTUs often have in their own firmware, and one directory of images.
# The password of this example is "example-password": change it.
device "rtu-560" {
  user          = "rtu"
  password_hash = "$2a$10$ejrtd61pQLn7g6ZqyMH8KerQYxqduBTjcUEM5JAtAR5/o.zP0/q1m"
  from          = ["10.20.1.0/24"]
  home          = "/rtu-560"
}

rule "firmware" {
  reason   = "MOC-2231: RTUs fetch released firmware"
  devices  = ["rtu-*"]
  zones    = ["field"]
  allow    = ["download"]
  paths    = ["/*.bin", "/*.sig"]

  ignore_case = true
  max_size = "128MiB"
}

rule "find-firmware" {
  reason  = "RTUs list the directory to find the newest image"
  devices = ["rtu-*"]
  allow   = ["list"]
}

# This rule would be the default anyway. It is written so that refusals are on record with a reason of their own.
rule "nothing-else" {
  reason = "RTUs fetch firmware images, and do nothing else"
  deny   = ["upload", "append", "download", "list", "delete", "rename", "mkdir", "rmdir", "modify"]
}
