"""What collecting costs: one whole cycle over many servers, beside a C program and the tools people use today.

All of it happens in a network and a mount namespace of the bench's own, so it neither sees nor touches what else
lives on the machine, and the kernel removes everything when the bench ends, however it ends.
"""
