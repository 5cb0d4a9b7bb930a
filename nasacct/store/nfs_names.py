"""What NFS calls its procedures and operations, in the order in which the kernel counts them."""

from __future__ import annotations

#: Names of the NFSv2 procedures in the order of `proc2` (include/uapi/linux/nfs2.h).
PROC2 = (
    "null getattr setattr root lookup readlink read writecache write create remove rename link symlink mkdir rmdir "
    "readdir statfs"
).split()
#: Names of the NFSv3 procedures in the order of `proc3` (include/uapi/linux/nfs3.h).
PROC3 = (
    "null getattr setattr lookup access readlink read write create mkdir symlink mknod remove rmdir rename link "
    "readdir readdirplus fsstat fsinfo pathconf commit"
).split()
#: Names of the NFSv4 procedures in the order of `proc4`.
PROC4 = ("null", "compound")
#: Names of the NFSv4 operations by their number (include/linux/nfs4.h, RFC 7530, 8881, 7862, 8276); 0..2 are unused.
PROC4OPS = dict(
    enumerate(
        (
            "access close commit create delegpurge delegreturn getattr getfh link lock lockt locku lookup lookupp "
            "nverify open openattr open_confirm open_downgrade putfh putpubfh putrootfh read readdir readlink remove "
            "rename renew restorefh savefh secinfo setattr setclientid setclientid_confirm verify write "
            "release_lockowner backchannel_ctl bind_conn_to_session exchange_id create_session destroy_session "
            "free_stateid get_dir_delegation getdeviceinfo getdevicelist layoutcommit layoutget layoutreturn "
            "secinfo_no_name sequence set_ssv test_stateid want_delegation destroy_clientid reclaim_complete "
            "allocate copy copy_notify deallocate io_advise layouterror layoutstats offload_cancel offload_status "
            "read_plus seek write_same clone getxattr setxattr listxattrs removexattr"
        ).split(),
        start=3,
    )
)
