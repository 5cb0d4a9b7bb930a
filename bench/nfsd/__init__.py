"""Whether collecting slows nfsd: the same reads of a real kernel NFS server with and without the collector, in turn.

It needs the laboratory's virtual machine (tests/lab); where that is emulated, the collector competes with nfsd for
processors that are many times slower, which overstates what it takes.
"""
