# Cameras that upload clips and pictures. Lay this file beside the other files of a configuration directory, and give each device
# that it is for the line: profile = "ip-camera"
#
# Some cameras make their directories themselves, level by level, and need nothing of this; it does not disturb them:
#   CWD, which fails, XMKD for each level, CWD      github.com/biddster/node-red-contrib-ftp-server issue 4
#   CWD, which fails, MKD, at least in its test     Reolink: github.com/svrooij/ipcam2mqtt issue 14
profile "ip-camera" {
  # STOR with a path whose directories are not there: yi-hack firmware, github.com/alienatedsec/yi-hack-v5 issue 337.
  # MKD of a directory whose parent is not there: github.com/roleoroleo/yi-hack-Allwinner issue 463.
  # The rules must allow these devices mkdir.
  make_parents = true
}
