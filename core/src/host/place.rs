//! Telling machines from containers and from jobs of continuous integration.

use super::HostKind;
use super::files::Files;

type Platform = Option<&'static str>;
type Variables = [(String, String)];

/// Variables that the services set in every job, most telling first.
const CI_VARIABLES: [(&str, &str); 14] = [
    ("GITHUB_ACTIONS", "github-actions"),
    ("GITLAB_CI", "gitlab-ci"),
    ("TF_BUILD", "azure-pipelines"),
    ("CIRCLECI", "circleci"),
    ("BUILDKITE", "buildkite"),
    ("JENKINS_URL", "jenkins"),
    ("TEAMCITY_VERSION", "teamcity"),
    ("TRAVIS", "travis"),
    ("BITBUCKET_BUILD_NUMBER", "bitbucket"),
    ("CODEBUILD_BUILD_ID", "codebuild"),
    ("DRONE", "drone"),
    ("WOODPECKER", "woodpecker"),
    ("APPVEYOR", "appveyor"),
    ("CI", "ci"),
];

/// Files that only a container has.
const CONTAINER_FILES: [(&str, &str); 5] = [
    ("var/run/secrets/kubernetes.io", "kubernetes"),
    ("run/secrets/kubernetes.io", "kubernetes"),
    ("run/.containerenv", "podman"),
    (".dockerenv", "docker"),
    ("dev/lxd/sock", "lxc"),
];

/// What the names of control groups and of a layered root tell.
const TRACES: [(&str, &str); 8] = [
    ("/kubepods", "kubernetes"),
    ("kubelet", "kubernetes"),
    ("/libpod", "podman"),
    ("containers/storage/overlay", "podman"),
    ("/docker", "docker"),
    ("io.containerd", "containerd"),
    ("/lxc/", "lxc"),
    ("/lxc.payload", "lxc"),
];

/// What virtual machines say of their maker.
const HYPERVISORS: [(&str, &str); 13] = [
    ("kvm", "kvm"),
    ("qemu", "kvm"),
    ("vmware", "vmware"),
    ("virtualbox", "virtualbox"),
    ("innotek", "virtualbox"),
    ("xen", "xen"),
    ("virtual machine", "hyper-v"),
    ("amazon ec2", "ec2"),
    ("google compute engine", "gce"),
    ("openstack", "openstack"),
    ("digitalocean", "digitalocean"),
    ("parallels", "parallels"),
    ("bhyve", "bhyve"),
];

/// The kind of place, and by what it was recognised.
pub(super) fn of(files: &Files<'_>, variables: &Variables) -> (HostKind, Platform) {
    if let Some(name) = continuous_integration(variables) {
        return (HostKind::Ci, Some(name));
    }
    if let Some(name) = container(files, variables) {
        return (HostKind::Container, Some(name));
    }
    match hypervisor(files) {
        Some(name) => (HostKind::Virtual, Some(name)),
        None => (HostKind::Physical, None),
    }
}

fn value<'a>(variables: &'a Variables, name: &str) -> Option<&'a str> {
    let found = variables.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.trim())
}

fn continuous_integration(variables: &Variables) -> Platform {
    let set = |name| {
        let value = value(variables, name).unwrap_or_default().to_lowercase();
        !matches!(value.as_str(), "" | "0" | "false" | "no")
    };
    let found = CI_VARIABLES.iter().find(|(name, _)| set(name));
    found.map(|(_, platform)| *platform)
}

fn container(files: &Files<'_>, variables: &Variables) -> Platform {
    if value(variables, "KUBERNETES_SERVICE_HOST").is_some() {
        return Some("kubernetes");
    }
    let by_file = CONTAINER_FILES.iter().find(|(path, _)| files.has(path));
    if let Some((_, platform)) = by_file {
        return Some(platform);
    }
    let named = files.text("run/systemd/container");
    let named = named.as_deref().or(value(variables, "container"));
    if let Some(platform) = named.and_then(|name| runtime(name.trim())) {
        return Some(platform);
    }
    let groups = files.text("proc/self/cgroup").unwrap_or_default();
    traced(&groups).or_else(|| traced(&root_mount(files)?))
}

/// A container by the name that its manager gives it. Flatpak and Snap wrap single programs on the
/// user's own machine: these are no containers in our sense.
fn runtime(name: &str) -> Platform {
    match name {
        "" | "flatpak" | "snap" | "wsl" => None,
        "docker" => Some("docker"),
        "podman" | "oci" => Some("podman"),
        "lxc" | "lxc-libvirt" | "lxd" => Some("lxc"),
        "systemd-nspawn" => Some("nspawn"),
        _ => Some("container"),
    }
}

/// The line that says what the root folder is made of.
fn root_mount(files: &Files<'_>) -> Option<String> {
    let mounts = files.text("proc/self/mountinfo")?;
    let root = mounts.lines().find(|line| {
        let mut fields = line.split(' ');
        fields.nth(4) == Some("/")
    });
    root.map(str::to_owned)
}

fn traced(text: &str) -> Platform {
    let found = TRACES.iter().find(|(trace, _)| text.contains(trace));
    found.map(|(_, platform)| *platform)
}

fn hypervisor(files: &Files<'_>) -> Platform {
    let says = |file: &str| {
        let text = files.text(&format!("sys/class/dmi/id/{file}"));
        let text = text.unwrap_or_default().to_lowercase();
        let known = HYPERVISORS.iter().find(|(name, _)| text.contains(name));
        known.map(|(_, platform)| *platform)
    };
    let named = says("product_name").or_else(|| says("sys_vendor"));
    if named.is_some() {
        return named;
    }
    if files
        .text("sys/hypervisor/type")
        .is_some_and(|text| text.trim() == "xen")
    {
        return Some("xen");
    }
    let processor = files.text("proc/cpuinfo").unwrap_or_default();
    let flags = processor.lines().find(|line| line.starts_with("flags"));
    let marked = flags.is_some_and(|flags| flags.split_whitespace().any(|f| f == "hypervisor"));
    marked.then_some("hypervisor")
}
