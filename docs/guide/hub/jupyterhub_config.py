"""JupyterHub with Jupyter Rewind: a user's work outlives the user's server, pod and home."""

import os

from jupyterhub.auth import DummyAuthenticator

# Where the copies lie: one prefix for each user below this.
BUCKET = os.environ["REWIND_BUCKET"]  # such as s3://notebooks/rewind
OPTIONS = os.environ.get("REWIND_OPTIONS", "")  # such as ?region=eu-central-1&encrypt=yes
# --lazy: a server starts with histories, and brings large contents while it runs.
PULL = os.environ.get("REWIND_PULL", "")
# A folder that outlives homes and pods: 32 bytes for each user, which are not in the bucket.
KEYS = os.environ["REWIND_KEYS"]

# What stands in the bucket comes first, so that the first save goes on from there. Status 3: there
# is nothing yet. With any other, the server does not start, and the hub's log says why: begun
# without its past, the store would be another one.
START = (
    f'jupyter rewind replica pull {PULL}; is=$?; [ $is = 0 ] || [ $is = 3 ] || exit $is; exec "$@"'
)


def prepare(spawner):
    """Each user's store has a prefix and a key folder of its own."""
    name = spawner.user.escaped_name
    spawner.environment.update(
        JUPYTER_REWIND_REPLICA_URL=f"{BUCKET}/{name}{OPTIONS}",
        JUPYTER_REWIND_STORE_KEY_FOLDER=f"{KEYS}/{name}",
        JUPYTER_REWIND_STORE_QUOTA="20 GB",
    )


c = get_config()  # noqa: F821  # JupyterHub's
c.Spawner.pre_spawn_hook = prepare
c.Spawner.cmd = ["sh", "-c", START, "start", "jupyterhub-singleuser"]
# Only to try it out: with these, each user can get at everybody's prefix. Give each a role, or
# keys, for the user's own.
c.Spawner.env_keep = [
    "PATH", "LANG", "LC_ALL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
]  # fmt: skip

# Only to try it out: everybody's password is the same, and all run as the hub's own user.
c.JupyterHub.authenticator_class = DummyAuthenticator
c.DummyAuthenticator.password = os.environ["HUB_PASSWORD"]
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
# The last push at the end of a server may take ten seconds; five would be the default.
c.SimpleLocalProcessSpawner.term_timeout = 20
c.SimpleLocalProcessSpawner.home_dir_template = os.environ["HUB_HOMES"] + "/{username}"
