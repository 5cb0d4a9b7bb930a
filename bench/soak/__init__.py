"""The collector for a long time under load: what grows that should not, while servers come and go.

Like the other measurements it happens in namespaces of its own, which the kernel removes when it ends.
"""
