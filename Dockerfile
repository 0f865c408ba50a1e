# An argument, so that the tests can stand the image on a Python made on the spot.
ARG BASE=docker.io/library/python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${BASE} AS builder
RUN ["python", "-m", "venv", "--without-pip", "/opt/ci3"]
WORKDIR /opt/ci3/lib/python3.13/site-packages
COPY requirements.lock /tmp/
RUN python -m pip --python /opt/ci3/bin/python install \
        --require-hashes --no-deps --only-binary :all: --requirement /tmp/requirements.lock \
        --no-cache-dir --no-compile --disable-pip-version-check --root-user-action ignore \
    # Tests (actions-toolkit installs its own as a top-level package), translations, old names, and
    # descriptions of resources: only clients are made, each with the newest description.
    && rm -r _yaml tests certifi/tests regex/tests humanize/locale pydantic/v1 \
        boto3/data boto3/ec2 boto3/examples charset_normalizer/cli \
    && find botocore/data -mindepth 1 -maxdepth 1 -type d \
        ! -name s3 ! -name sts ! -name sso ! -name sso-oidc ! -name signin \
        ! -name cloudfront ! -name ssm -exec rm -r {} + \
    && for service in botocore/data/*/; do \
        older=; \
        for version in "${service}"*/; do [ -z "$older" ] || rm -r "$older"; older="$version"; done; \
    done \
    && find . \( -name 'examples-1.json' -o -name '*.pyi' \) -delete \
    && find . -type d -empty -delete \
    && find /opt/ci3/bin ! -type d ! -name 'python*' -delete \
    && python -X pycache_prefix=/opt/ci3/pycache -m compileall -q \
        --invalidation-mode unchecked-hash "${PWD}"
COPY LICENSE entrypoint.py /opt/ci3/
COPY ci3 ci3/
# The official image carries no bytecode of the standard library, and a read-only container cannot
# keep any: without what is imported here, every run would compile for a second. The clients
# are also the proof that no service description is missing.
ARG SOURCE_DATE_EPOCH=0
RUN /opt/ci3/bin/python -I -B -c "import sys, difflib, importlib, pkgutil, traceback, ci3; \
names = [one.name for one in pkgutil.walk_packages(ci3.__path__, 'ci3.')]; \
[importlib.import_module(name) for name in names if name != 'ci3.__main__']; \
import boto3, ctypes, multiprocessing.connection, multiprocessing.popen_fork, \
    rich.progress, rich.table; \
services = 's3', 'sts', 'sso', 'sso-oidc', 'signin', 'cloudfront', 'ssm'; \
session = boto3.Session(); \
[session.client(service, region_name='us-east-1') for service in services]; \
files = (getattr(module, '__file__', None) for module in sys.modules.values()); \
print(*sorted({file for file in files if file}), sep='\n')" > /tmp/imported \
    && /opt/ci3/bin/python -I -X pycache_prefix=/opt/ci3/pycache -m compileall -q \
        --invalidation-mode unchecked-hash -i /tmp/imported ci3 \
    && find /opt/ci3 -exec touch --no-dereference --date "@${SOURCE_DATE_EPOCH}" {} +

FROM ${BASE}
LABEL org.opencontainers.image.title="ci3" \
      org.opencontainers.image.description="Removes old deployments from S3 buckets" \
      org.opencontainers.image.licenses="MIT"
COPY --from=builder /opt/ci3 /opt/ci3
# Nothing is installed from here on.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3.*/ensurepip \
        /usr/local/lib/python3.*/site-packages/pip*
# Where `~/.aws` is mounted. A runner sets HOME itself.
ENV HOME=/home/python
RUN ["mkdir", "-m", "1777", "/home/python"]
# Never a shell, which may drop INPUT_KEEP-COUNT for its hyphen. -I: no variable of the workflow and
# no file of its workspace becomes code.
ENTRYPOINT ["/opt/ci3/bin/python", "-I", "-B", "-u", "-X", "utf8", "-X", "pycache_prefix=/opt/ci3/pycache", "/opt/ci3/entrypoint.py"]
