"""Examine training data, sign what was found, and let a policy decide: poisoned data is refused."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import credenza
from credenza.admit import Policy
from credenza.attack import FlipLabels, poison
from credenza.attest import Subject, Trust, new_key, sign
from credenza.attest.examination import Examination, to_statement
from credenza.audit import TrustedSeed
from credenza.dataset import Dataset
from credenza.errors import NotAdmittedError

images, labels = load_digits(return_X_y=True)
inputs = (images / 16).astype(np.float32).reshape(-1, 1, 8, 8)
every = Dataset(inputs, labels.astype(np.int64))
order = np.random.default_rng(0).permutation(len(every))
trusted, training = every.take(order[:600]), every.take(order[600:])
poisoned = poison(training, FlipLabels(source=5, target=2, share=0.6), seed=1)

Path("model").mkdir()
np.save("model/head.npy", np.zeros((10, 64), np.float32))  # stands for what was trained on it
key = new_key(Path("examiner.key"))
trust = Trust((key.public,))
root = credenza.seal(credenza.open("model"), key).root.hex()

audit = credenza.audit(poisoned.dataset, trusted, (TrustedSeed(),), seed=0)
subject = Subject("model", "credenza-blake3", root)
about = replace(audit.report, root=root)
said = sign(to_statement(Examination(subject, about, dt.datetime.now(dt.UTC))), [key])

try:
    verified = credenza.verify("model", trust)
    credenza.admit(verified, [trust.verify(said)], Policy(examinations=("audit",)))
    print("admitted")
except NotAdmittedError as refused:
    print(refused)
