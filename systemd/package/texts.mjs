// The texts a Debian package carries: control, copyright, changelog, manual, list of parts.

const MAINTAINER = 'slothd maintainers <maintainers@users.noreply.github.com>';

export function control({ arch, version, installedKiB }) {
  return `Package: slothd
Version: ${version}
Architecture: ${arch}
Maintainer: ${MAINTAINER}
Installed-Size: ${installedKiB}
Section: net
Priority: optional
Depends: libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 9), passwd
Recommends: systemd, udev
Suggests: mosquitto
Homepage: https://www.npmjs.com/package/slothd
Description: heart-rate alerts from serial sensors over MQTT
 slothd reads heart sensors (ECG boards, pulse oximeters, chest straps) on
 serial ports, looks at every beat with a small pruned and quantized neural
 network, and publishes health alerts over MQTT within seconds of the onset.
 Watchdog metrics show how long each stage takes.
 .
 The package brings its own Node runtime. slothd is not a medical device.
`;
}

export function changelog(version, epoch) {
  return `slothd (${version}) stable; urgency=medium

  * Release ${version}. What changed is told in the project's history.

 -- ${MAINTAINER}  ${rfc2822(epoch)}
`;
}

/** As dpkg reads dates; always UTC. */
function rfc2822(epoch) {
  return new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
}

export function copyright() {
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: slothd
Comment: The licences of the parts that come with slothd (Node, ONNX Runtime and
 npm packages) stand in full in third-party-licences.txt beside this file;
 sbom.cdx.json lists them with their versions.

Files: *
Copyright: 2026 the slothd maintainers
License: Apache-2.0
 Licensed under the Apache License, Version 2.0. On Debian systems its text is
 in /usr/share/common-licenses/Apache-2.0.
`;
}

/** One text with the licence of every part, sorted by name. */
export function thirdParty(packages) {
  const line = '='.repeat(80);
  return packages
    .map(
      ({ name, version, licence, text }) =>
        `${line}\n${name} ${version} (${licence})\n${line}\n\n${text || `The package names the licence ${licence} and carries no text of it.`}\n`,
    )
    .join('\n');
}

/** CycloneDX 1.5 list of parts; no serial number and no clock in it, so that the same input gives the same bytes. */
export function sbom(packages, version, arch, epoch) {
  const component = ({ name, version: of, licence, repository }) => ({
    type: name === 'node' ? 'platform' : 'library',
    name,
    version: of,
    'bom-ref': `${name}@${of}`,
    purl: name === 'node' ? `pkg:generic/node@${of}` : `pkg:npm/${name.replace('@', '%40')}@${of}`,
    licenses: [licenceOf(licence)],
    ...(repository
      ? { externalReferences: [{ type: 'vcs', url: repository.replace(/^git\+/, '').replace(/\.git$/, '') }] }
      : {}),
  });
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      timestamp: new Date(epoch * 1000).toISOString(),
      component: {
        type: 'application',
        name: 'slothd',
        version,
        'bom-ref': `slothd@${version}`,
        licenses: [licenceOf('Apache-2.0')],
        properties: [{ name: 'debian:architecture', value: arch }],
      },
    },
    components: packages.map(component),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** CycloneDX tells expressions (`MIT OR Apache-2.0`) from single SPDX ids. */
function licenceOf(licence) {
  return /[ ()]/.test(licence) ? { expression: licence } : { license: { id: licence } };
}

/** slothd(1): the verbs as the command line lists them. */
export function manPage(verbs, version, epoch) {
  const date = new Date(epoch * 1000).toISOString().slice(0, 10);
  const roff = (text) =>
    text
      .replaceAll('\\', '\\e')
      .replaceAll('-', '\\-')
      .replace(/^([.'])/, '\\&$1');
  const list = verbs.map(({ name, does }) => `.TP\n.B ${roff(name)}\n${roff(does)}`).join('\n');
  return `.TH SLOTHD 1 ${date} "slothd ${version}" "User Commands"
.SH NAME
slothd \\- heart\\-rate alerts from serial sensors over MQTT
.SH SYNOPSIS
.B slothd
.I verb
[options]
.SH DESCRIPTION
slothd reads heart sensors on serial ports, looks at every beat with a small neural network and publishes health alerts
over MQTT. It is not a medical device.
.PP
.B slothd
.I verb
.B \\-\\-help
tells the options of a verb. The verbs:
${list}
.SH FILES
.TP
.I /etc/slothd/slothd.yaml
The config; \\fBslothd init\\fR writes a first one, \\fBslothd check\\fR checks it.
.TP
.I /var/lib/slothd
What survives a restart: unsent alerts, open alarms, installed models.
.TP
.I /usr/share/doc/slothd
README, documentation, an example config, licences and a list of all parts.
.SH EXIT STATUS
0: all is well. 1: wrong usage or config, or a check that failed. 2: a fault of slothd's own.
`;
}

/** A runtime of our own is the point of this package: Debian 12 has Node 18, which no longer gets fixes. */
export const LINTIAN_OVERRIDES = `# Node is linked with its own OpenSSL, zlib and others; both binaries come as their makers ship them.
slothd: embedded-library *
slothd: unstripped-binary-or-object *
slothd: hardening-no-pie *
# npm packages keep their own layout.
slothd: embedded-javascript-library *
slothd: script-not-executable *
`;
