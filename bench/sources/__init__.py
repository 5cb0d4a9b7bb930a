"""What all sources together cost in a cycle, of a thousand servers of which one in five is used.

Namespaces, links, connections, threads, counter files and the journal are real; nfsd's texts and histograms are made
after real ones. What the kernel takes to print a histogram is not in it.
"""
