//! What can be told about the host without asking anybody and without being root.
//!
//! A [`Probe`] looks at files that every program may read and gives a [`Host`]: what kind of place
//! this is, and the components a [`Fingerprint`] is made of. What it found leaves a [`Host`] only
//! hashed under the product. The environment is not read: who wants it considered gives it.
//!
//! ```
//! use mintreu::host::Probe;
//!
//! # fn main() -> mintreu::Result<()> {
//! let host = Probe::new().with_variables(std::env::vars()).read();
//! let fingerprint = host.fingerprint("acme.editor")?;
//! if fingerprint.is_empty() {
//!     println!("a {}: give an id of your own", host.kind().code());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Invariants
//!
//! * A program sees the same components whether it runs as root or not.
//! * In a container, and in a job of continuous integration, what the image or the runner says of
//!   itself is no component: it is the same on every machine, or another each time.
//! * A component has one value on one machine: no removable disk, no dock's network card, no
//!   address that is drawn at random.

mod files;
mod parts;
mod place;

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::activation::Fingerprint;
use crate::error::Result;
use files::Files;

/// What kind of place a program runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostKind {
    /// A machine of its own.
    Physical,
    /// A virtual machine: its hardware is what its host says.
    Virtual,
    /// A container: it has no hardware and may be made anew at any time.
    Container,
    /// A job of continuous integration: it is gone in minutes.
    Ci,
}

impl HostKind {
    /// The stable code: `physical`, `virtual`, `container` or `ci`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Physical => "physical",
            Self::Virtual => "virtual",
            Self::Container => "container",
            Self::Ci => "ci",
        }
    }

    /// Whether the host itself has components that mean something.
    pub const fn has_components(self) -> bool {
        matches!(self, Self::Physical | Self::Virtual)
    }
}

/// How a host is looked at.
#[derive(Debug, Clone)]
pub struct Probe {
    root: PathBuf,
    variables: Vec<(String, String)>,
}

impl Default for Probe {
    fn default() -> Self {
        Self::new()
    }
}

impl Probe {
    /// Looks at this machine's own files and at no variable.
    pub fn new() -> Self {
        Self {
            root: PathBuf::from("/"),
            variables: Vec::new(),
        }
    }

    /// Looks at the files below another folder: a test's, or a mounted system's.
    #[must_use]
    pub fn with_root(mut self, root: impl AsRef<Path>) -> Self {
        root.as_ref().clone_into(&mut self.root);
        self
    }

    /// Considers these variables of the environment: they tell containers and continuous
    /// integration where files do not.
    #[must_use]
    pub fn with_variables(mut self, all: impl IntoIterator<Item = (String, String)>) -> Self {
        self.variables.extend(all);
        self
    }

    /// Looks. What cannot be read is left out.
    pub fn read(&self) -> Host {
        let files = Files::below(&self.root);
        let (kind, platform) = place::of(&files, &self.variables);
        let mut components = Vec::new();
        if kind.has_components() {
            components = parts::of(&files);
            if self.root == Path::new("/") {
                components.extend(system_id());
            }
        }
        Host {
            kind,
            platform,
            components,
        }
    }
}

/// The id that macOS and Windows give their installation, which is in no file.
fn system_id() -> Option<Component> {
    #[cfg(any(target_os = "macos", windows))]
    return Component::new(parts::MACHINE, &machine_uid::get().ok()?);
    #[cfg(not(any(target_os = "macos", windows)))]
    None
}

/// The id of this machine's installation, where it means something.
#[cfg(feature = "journal")]
pub(crate) fn machine_id() -> Option<Zeroizing<String>> {
    let files = Files::below(Path::new("/"));
    let (kind, _) = place::of(&files, &[]);
    let id = kind
        .has_components()
        .then(|| parts::machine(&files).or_else(system_id))?;
    id.map(|part| part.value)
}

/// One thing that tells hosts apart. Its value leaves only as a hash.
#[derive(Clone, PartialEq, Eq)]
struct Component {
    name: String,
    value: Zeroizing<String>,
}

impl Component {
    /// `None` for what is no value: see [`files::usable`].
    fn new(name: &str, value: &str) -> Option<Self> {
        files::usable(value).map(|value| Self {
            name: name.to_owned(),
            value: Zeroizing::new(value.to_lowercase()),
        })
    }
}

/// A host as a [`Probe`] found it.
#[derive(Clone, PartialEq, Eq)]
pub struct Host {
    kind: HostKind,
    platform: Option<&'static str>,
    components: Vec<Component>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("kind", &self.kind)
            .field("platform", &self.platform)
            .field("components", &self.names())
            .finish()
    }
}

impl Host {
    /// What kind of place it is.
    pub fn kind(&self) -> HostKind {
        self.kind
    }

    /// By what it was recognised, where it is no machine of its own: `docker`, `podman`,
    /// `kubernetes`, `lxc`, `github-actions`, `kvm` and the like.
    pub fn platform(&self) -> Option<&'static str> {
        self.platform
    }

    /// What the components are, without their values: `machine`, `board`, `system`, `disk`, `mac`;
    /// some may be there more than once.
    pub fn names(&self) -> Vec<&str> {
        let names = self.components.iter().map(|part| part.name.as_str());
        names.collect()
    }

    /// Adds what the caller knows of the host: the id of a cloud's instance, a StatefulSet's pod,
    /// a mounted secret. An empty value is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.components.push(Component {
                name: name.to_owned(),
                value: Zeroizing::new(value.to_owned()),
            });
        }
        self
    }

    /// The components, hashed under a product.
    ///
    /// `malformed` for more than 16, of which the host itself gives at most 12.
    pub fn fingerprint(&self, product: &str) -> Result<Fingerprint> {
        let parts = self.components.iter();
        let named: Vec<_> = parts
            .map(|part| (part.name.as_str(), part.value.as_str()))
            .collect();
        Fingerprint::new(product, &named)
    }
}

impl Fingerprint {
    /// The host's fingerprint for a product, by its files alone; see [`crate::host`].
    ///
    /// Empty in containers: they need an id from the caller.
    pub fn of_host(product: &str) -> Result<Self> {
        Probe::new().read().fingerprint(product)
    }
}

#[cfg(test)]
mod tests;
