//! Where Debian's sections and tags stand in the tree of categories.

use super::record::{Place, slug};

/// Section, then slug and name of its group and of itself; a group alone has one level.
const SECTIONS: &[(&str, &str, &str, &str, &str)] = &[
    (
        "admin",
        "system",
        "System",
        "administration",
        "Administration",
    ),
    (
        "cli-mono",
        "languages",
        "Languages",
        "dotnet",
        "Mono and .NET",
    ),
    (
        "comm",
        "internet",
        "Internet",
        "communication",
        "Communication",
    ),
    ("database", "data", "Data", "databases", "Databases"),
    (
        "debug",
        "development",
        "Development",
        "debug-symbols",
        "Debug symbols",
    ),
    (
        "devel",
        "development",
        "Development",
        "tools",
        "Development tools",
    ),
    (
        "doc",
        "documents",
        "Documents",
        "documentation",
        "Documentation",
    ),
    ("editors", "documents", "Documents", "editors", "Editors"),
    ("education", "science", "Science", "education", "Education"),
    (
        "electronics",
        "science",
        "Science",
        "electronics",
        "Electronics",
    ),
    (
        "embedded",
        "system",
        "System",
        "embedded",
        "Embedded systems",
    ),
    ("fonts", "documents", "Documents", "fonts", "Fonts"),
    ("games", "games", "Games", "", ""),
    ("gnome", "desktop", "Desktop", "gnome", "GNOME"),
    ("gnu-r", "languages", "Languages", "r", "R"),
    ("gnustep", "desktop", "Desktop", "gnustep", "GNUstep"),
    ("golang", "languages", "Languages", "go", "Go"),
    ("graphics", "media", "Media", "graphics", "Graphics"),
    (
        "hamradio",
        "science",
        "Science",
        "amateur-radio",
        "Amateur radio",
    ),
    ("haskell", "languages", "Languages", "haskell", "Haskell"),
    (
        "httpd",
        "internet",
        "Internet",
        "web-servers",
        "Web servers",
    ),
    (
        "interpreters",
        "languages",
        "Languages",
        "interpreters",
        "Interpreters",
    ),
    (
        "introspection",
        "development",
        "Development",
        "introspection",
        "Introspection",
    ),
    ("java", "languages", "Languages", "java", "Java"),
    (
        "javascript",
        "languages",
        "Languages",
        "javascript",
        "JavaScript",
    ),
    ("kde", "desktop", "Desktop", "kde", "KDE"),
    ("kernel", "system", "System", "kernel", "Kernel"),
    (
        "libdevel",
        "development",
        "Development",
        "library-headers",
        "Library headers",
    ),
    (
        "libs",
        "development",
        "Development",
        "libraries",
        "Libraries",
    ),
    ("lisp", "languages", "Languages", "lisp", "Lisp"),
    (
        "localization",
        "desktop",
        "Desktop",
        "localization",
        "Translations",
    ),
    ("mail", "internet", "Internet", "mail", "Mail"),
    ("math", "science", "Science", "mathematics", "Mathematics"),
    (
        "metapackages",
        "system",
        "System",
        "metapackages",
        "Collections",
    ),
    ("net", "internet", "Internet", "network", "Network"),
    ("news", "internet", "Internet", "news", "News"),
    ("ocaml", "languages", "Languages", "ocaml", "OCaml"),
    (
        "oldlibs",
        "development",
        "Development",
        "old-libraries",
        "Old libraries",
    ),
    (
        "otherosfs",
        "system",
        "System",
        "other-systems",
        "Other systems",
    ),
    ("perl", "languages", "Languages", "perl", "Perl"),
    ("php", "languages", "Languages", "php", "PHP"),
    ("python", "languages", "Languages", "python", "Python"),
    ("ruby", "languages", "Languages", "ruby", "Ruby"),
    ("rust", "languages", "Languages", "rust", "Rust"),
    ("science", "science", "Science", "research", "Research"),
    ("shells", "system", "System", "shells", "Shells"),
    ("sound", "media", "Media", "sound", "Sound"),
    ("tasks", "system", "System", "tasks", "Tasks"),
    ("tex", "documents", "Documents", "tex", "TeX"),
    ("text", "documents", "Documents", "text", "Text processing"),
    ("utils", "system", "System", "utilities", "Utilities"),
    (
        "vcs",
        "development",
        "Development",
        "version-control",
        "Version control",
    ),
    ("video", "media", "Media", "video", "Video"),
    ("web", "internet", "Internet", "web", "Web"),
    ("x11", "desktop", "Desktop", "x11", "X11"),
    ("xfce", "desktop", "Desktop", "xfce", "Xfce"),
    ("zope", "internet", "Internet", "zope", "Zope"),
];

fn level(slug: &str, name: &str) -> (String, String) {
    (slug.to_owned(), name.to_owned())
}

/// Words with a capital: `works-with-format` is `Works with format`.
fn title(word: &str) -> String {
    let text = word.replace(['-', '_', ':'], " ");
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

/// Where a section stands; an unknown one stands under "other" by its own name.
pub(super) fn place(section: &str) -> Place {
    // An archive area may stand before it: non-free/net.
    let name = section.rsplit('/').next().unwrap_or(section);
    let known = SECTIONS.iter().find(|(known, ..)| *known == name);
    match known {
        Some((_, group, title, "", _)) => Place(vec![level(group, title)]),
        Some((_, group, group_title, own, own_title)) => {
            Place(vec![level(group, group_title), level(own, own_title)])
        }
        None => match slug(name) {
            own if own.is_empty() || own == "misc" => Place(vec![level("other", "Other")]),
            own => Place(vec![level("other", "Other"), (own, title(name))]),
        },
    }
}

/// Where a tag `facet::value` stands; `None` for what is no tag or says nothing to people.
pub(super) fn tag(text: &str) -> Option<Place> {
    let (facet, value) = text.split_once("::")?;
    let (facet_slug, value_slug) = (slug(facet), slug(value));
    if facet_slug.is_empty() || value_slug.is_empty() || facet == "special" || value == "TODO" {
        return None;
    }
    Some(Place(vec![
        level("topics", "Topics"),
        (facet_slug, title(facet)),
        (value_slug, title(value)),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_tags_have_their_place() {
        assert_eq!(place("non-free/python"), place("python"));
        assert_eq!(place("python").0[1], level("python", "Python"));
        assert_eq!(place("games").0.len(), 1);
        assert_eq!(place("misc").0, [level("other", "Other")]);
        assert_eq!(place("new-thing").0[1], level("new-thing", "New thing"));
        let xml = tag("works-with-format::xml:rss").unwrap();
        assert_eq!(xml.0[2], level("xml-rss", "Xml rss"));
        for nothing in ["", "game", "::", "special::auto", "a::TODO"] {
            assert_eq!(tag(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_one_name_goes_with_one_slug() {
        assert!(SECTIONS.is_sorted_by_key(|(section, ..)| *section));
        for (_, group, title, ..) in SECTIONS {
            let same = SECTIONS.iter().filter(|(_, other, ..)| other == group);
            assert!(
                same.into_iter().all(|(_, _, other, ..)| other == title),
                "{group}"
            );
        }
    }
}
