# Devices whose firmware uploads with BusyBox's ftpput. Lay this file beside the other files of a configuration directory, and give
# each device that it is for the line: profile = "busybox"
#
# The source is BusyBox, networking/ftpgetput.c. ftpput sends USER, PASS, TYPE I, EPSV (newer versions, where built with IPv6) or
# PASV, ALLO (old versions only), STOR and QUIT, and nothing else. What it makes of the replies needs no setting:
#   it reads replies of several lines to their end              ftpcmd
#   it ignores the address in the reply to PASV                 xconnect_ftpdata
#   it takes 200 and 202 for ALLO                               ftp_send
#   it insists on 226 at last                                   ftp_send, pump_data_and_QUIT
profile "busybox" {
  # There is no MKD in ftp_send: STOR of a path needs directories that somebody else has made. Seen to fail where nobody had:
  # github.com/roleoroleo/yi-hack-Allwinner-v2 issue 67. The rules must allow these devices mkdir.
  make_parents = true
}
