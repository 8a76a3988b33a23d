"""What another program's accountants give, for the table in ``tests/test_privacy.py``.

Run it in an environment of its own, since ``dp-accounting`` pins older packages than ours:
``pip install dp-accounting==0.6.0``, then ``PYTHONPATH=src python tools/compare_accountants.py``.
Each line: share, sigma, steps, delta; epsilon by Rényi divergences with our orders; epsilon by
privacy loss distributions, which is tighter.
"""

import dp_accounting
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant

from helpers.privacy import ORDERS

CASES = [
    (0.01, 1.1, 1000, 1e-5),
    (0.01, 0.7, 500, 1e-5),
    (0.05, 1.0, 300, 1e-5),
    (0.05, 4.0, 300, 1e-5),
    (0.1, 2.0, 100, 1e-3),
    (0.1, 0.6, 20, 1e-5),
    (0.256, 6.0, 200, 1e-5),
    (0.5, 10.0, 1000, 1e-7),
    (1.0, 5.0, 1, 1e-5),
    (1.0, 20.0, 100, 1e-6),
]


def main():
    for share, sigma, steps, delta in CASES:
        one = dp_accounting.PoissonSampledDpEvent(share, dp_accounting.GaussianDpEvent(sigma))
        event = dp_accounting.SelfComposedDpEvent(one, steps)
        found = [
            accountant.compose(event).get_epsilon(delta)
            for accountant in (RdpAccountant(ORDERS), PLDAccountant())
        ]
        print(f"{share} {sigma} {steps} {delta} {found[0]:.9g} {found[1]:.6g}", flush=True)


if __name__ == "__main__":
    main()
