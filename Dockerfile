# One image for every process of the mesh: `docker build -t caremesh .`, then `docker run caremesh run booking`.
# Without the embedded Kafka and PostgreSQL: in containers those are containers of their own (compose.yml).
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
RUN python -m venv /opt/caremesh
COPY requirements-production.lock .
RUN /opt/caremesh/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --require-hashes -r requirements-production.lock
COPY pyproject.toml README.md ./
COPY shared shared
COPY services services
RUN /opt/caremesh/bin/pip install --no-cache-dir --disable-pip-version-check --no-build-isolation --no-deps .
RUN /opt/caremesh/bin/pip uninstall --yes setuptools pip

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin caremesh
COPY --from=build /opt/caremesh /opt/caremesh
# In a container the only ones who can reach the port are those on its network.
ENV PATH=/opt/caremesh/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CAREMESH_HEALTH_HOST=0.0.0.0 \
    CAREMESH_HEALTH_PORT=9464
USER 10001:10001
WORKDIR /tmp
EXPOSE 9464
ENTRYPOINT ["caremesh"]
CMD ["--help"]
