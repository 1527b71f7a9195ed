"""A sweep: one pass over a data set that all explainers share.

`settings` declares the options, `plan` decides what is computed, `shard` computes a part of the
data set, `worker` writes it, and `engines` run workers in this process or on a cluster. `finalize`
computes the results from the shards. `driver` controls all of this, also after an interruption.
`input` decodes photos, `store` holds the run folder, and `run` opens it for reading.
"""
