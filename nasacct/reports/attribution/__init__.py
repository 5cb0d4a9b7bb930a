"""Attribution: who used the disks while they did not keep up, how sure that is, and when nobody is to blame.

Knows scenes, which are arrays on a grid of time, and nothing else: no file, no SQL, no clock. A scene is the same
whether a store, a recording or a simulator made it, and the same scene gives the same answer.

In normal hours it is learnt how much disk time each kind of request costs (`device.py`, `costs.py`); in an episode the
disk time that was really used is divided among members, local work and slow hardware so that it fits both the amounts
and the starts and stops (`fit.py`); who caused the increase is said in `verdict.py`.
"""
