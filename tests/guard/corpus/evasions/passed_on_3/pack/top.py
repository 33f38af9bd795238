from pack.middle import again
