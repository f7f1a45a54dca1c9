"""Several exporters and the replicated stores of deploy/cluster, of which processes are killed."""
