"""What it costs to sample the calls in flight of a thousand servers.

Few machines that run this have an NFS server in their kernel, and fewer one that may be asked. So each of a thousand
network namespaces has a real socket that asks the kernel a real question of about the same size, and what is read is
as a real kernel wrote it.
"""
