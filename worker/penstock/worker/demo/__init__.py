"""`penstock demo`: one run over the files of a folder that outlives its worker."""
