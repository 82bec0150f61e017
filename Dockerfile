# SyStock with the drivers of every kind of source and target, run as a user without rights. DOCKER_SETUP.md says how.
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# The environment has no pip of its own: it is filled from outside, and nothing can be added to it where it runs.
RUN python -m venv --without-pip /opt/systock
WORKDIR /src
COPY requirements-image.lock ./
RUN pip --python /opt/systock/bin/python install --require-hashes --requirement requirements-image.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
# `package` is the package's folder, whatever Python's version: with it on the path the flow runs by its short name too.
RUN pip --python /opt/systock/bin/python install --no-deps --no-build-isolation . \
    && ln -s "$(/opt/systock/bin/python -c 'import systock; print(*systock.__path__)')" /opt/systock/package

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 systock \
    && useradd --uid 10001 --gid systock --no-create-home --home-dir /project --shell /usr/sbin/nologin systock \
    && install --directory --owner systock --group systock --mode 0755 /project \
    && install --directory --owner systock --group systock --mode 1777 /secrets
COPY --from=build /opt/systock /opt/systock
ENV PATH=/opt/systock/bin:$PATH \
    PYTHONPATH=/opt/systock/package \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SYSTOCK_PROJECT=/project
USER 10001:10001
WORKDIR /project
# Is the scheduler at work? Asked of the lock that it holds, which goes with it however it ends.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from pathlib import Path; from systock.pipeline_manager.lock import scheduler_at_work; raise SystemExit(not scheduler_at_work(Path('/project/.systock')))"]
CMD ["systock", "schedule"]
