# A directory as one configuration: all files ending in .hcl, in the order of their names. Rules are tried in that order too, which is
# why the files are numbered.
#
# Two zones (a bay with relays, a yard with cameras and meters) and two conduits (operations and security), which must not mix.

gateway {
  shutdown_grace = "2m" # a camera's clip may take that long
}

audit {
  dir = "/var/lib/ftpgw/audit"
}
