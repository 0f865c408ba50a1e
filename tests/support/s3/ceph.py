"""Ceph's RADOS Gateway on a cluster in memory: one monitor, one OSD, no replicas.

The cluster has no authentication and listens on loopback; the gateway requires signatures.
Debian's Ceph (16) has no gateway without a cluster.
"""

import re
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.s3.local_store import (
    LocalStore,
    answers,
    find_program,
    free_ports,
    running_process,
    started,
    wait_until,
)

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
ACCESS_KEY, SECRET_KEY = "ceph-key", "ceph-secret"
STEP_SECONDS = 30
# The short intervals and the single shards bring the start from a minute to a few seconds.
# ms_mon_client_mode: the gateway's default, secure, is impossible without authentication.
# mon_data_avail: by default a monitor ends if less than 5 % of the disk is free.
CONFIGURATION = """\
[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{monitor_port}]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
ms_mon_client_mode = crc
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
mon_data = {folder}/mon
osd_data = {folder}/osd
osd_journal = {folder}/osd/journal
rgw_data = {folder}/rgw
run_dir = {folder}
crash_dir = {folder}
admin_socket = {folder}/$name.asok
pid_file = {folder}/$name.pid
log_file = {folder}/$name.log
mon_data_avail_crit = 1
mon_data_avail_warn = 2
mon_allow_pool_size_one = true
mon_tick_interval = 1
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
osd_objectstore = memstore
memstore_device_bytes = 268435456
osd_class_load_list = *
osd_class_default_list = *
osd_crush_chooseleaf_type = 0
osd_op_num_shards = 1
osd_op_num_threads_per_shard = 2
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
rgw_frontends = beast endpoint=127.0.0.1:{port}
rgw_thread_pool_size = 32
rgw_num_control_oids = 1
rgw_gc_max_objs = 1
rgw_lc_max_objs = 1
rgw_data_log_num_shards = 1
rgw_md_log_max_shards = 1
rgw_reshard_num_logs = 1
rgw_objexp_hints_num_shards = 1
rgw_override_bucket_index_max_shards = 1
rgw_run_sync_thread = false
rgw_enable_quota_threads = false
rgw_enable_lc_threads = false
rgw_enable_gc_threads = false
rgw_dynamic_resharding = false
"""


@contextmanager
def running_ceph() -> Iterator[LocalStore]:
    """Run a cluster and its gateway; raise MissingProgramError if a program is missing."""
    for program in PROGRAMS:
        find_program(program, "run tests/system/stores/install as root")
    output = subprocess.run(["radosgw", "--version"], check=True, capture_output=True, text=True)
    version = re.search(r"version ([\d.]+)", output.stdout)
    with started("ceph", _start) as url:
        yield LocalStore(
            name="Ceph RGW",
            version=version[1] if version else "",
            url=url,
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
        )


def _start(folder: Path, servers: ExitStack) -> str:
    """Start the cluster; return the gateway's address, or "" if a server has ended."""
    monitor_port, port = free_ports(2)
    fsid, osd_id = str(uuid.uuid4()), str(uuid.uuid4())
    configuration = CONFIGURATION.format(
        fsid=fsid, monitor_port=monitor_port, port=port, folder=folder
    )
    (folder / "ceph.conf").write_text(configuration, encoding="utf-8")
    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir()

    def run(*command: str) -> str:
        return _run(folder, *command)

    def serve(*command: str) -> subprocess.Popen[bytes]:
        return servers.enter_context(running_process([*command, "-f", *_CONF], folder))

    address = f"[v2:127.0.0.1:{monitor_port}]"
    run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, "monmap")
    run("ceph-mon", *_CONF, "--mkfs", "-i", "a", "--monmap", "monmap")
    monitor = serve("ceph-mon", "-i", "a")
    run("ceph-osd", *_CONF, "--mkfs", "-i", "0", "--osd-uuid", osd_id)
    if monitor.poll() is not None:
        return ""
    run("ceph", *_CONF, "osd", "new", osd_id, "0")
    osd = serve("ceph-osd", "-i", "0")
    if not wait_until(lambda: " 1 up" in run("ceph", *_CONF, "osd", "stat"), osd):
        return ""
    keys = ("--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY)
    run("radosgw-admin", *_CONF, "user", "create", "--uid=ci3", "--display-name=ci3", *keys)
    gateway = serve("radosgw", "-n", "client.rgw")
    url = f"http://127.0.0.1:{port}"
    return url if wait_until(lambda: answers(url), gateway) else ""


_CONF = ("-c", "ceph.conf")


def _run(folder: Path, *command: str) -> str:
    completed = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=STEP_SECONDS, check=False
    )
    if completed.returncode:
        raise AssertionError(f"{' '.join(command)}: {completed.stdout}{completed.stderr}")
    return completed.stdout
