"""Attribution against scenarios whose truth is known: the product's own engine, on folders of a neutral schema."""
