"""What `nasacct why` costs over a store of a thousand servers."""
