//! A seller's description as markup: CommonMark, with anything that could act taken out.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// Renders `text`. Raw HTML is shown as text, links go to http, https and mail addresses only,
/// pictures become their description, and headings start below the page's own.
pub fn render(text: &str) -> String {
    let mut links = Vec::new();
    let events = Parser::new_ext(text, Options::empty()).map(|event| tame(event, &mut links));
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    html::push_html(&mut out, events);
    out
}

/// `links` remembers, for each open link, whether it was kept.
fn tame<'t>(event: Event<'t>, links: &mut Vec<bool>) -> Event<'t> {
    match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => nothing(),
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => {
            let kept = ["https://", "http://", "mailto:"]
                .iter()
                .any(|start| dest_url.starts_with(start));
            links.push(kept);
            match kept {
                true => Event::Start(Tag::Link {
                    link_type,
                    dest_url,
                    title,
                    id,
                }),
                false => nothing(),
            }
        }
        Event::End(TagEnd::Link) => match links.pop() {
            Some(true) => Event::End(TagEnd::Link),
            _ => nothing(),
        },
        Event::Start(Tag::Heading {
            id, classes, attrs, ..
        }) => Event::Start(Tag::Heading {
            level: HeadingLevel::H3,
            id,
            classes,
            attrs,
        }),
        Event::End(TagEnd::Heading(_)) => Event::End(TagEnd::Heading(HeadingLevel::H3)),
        other => other,
    }
}

fn nothing<'t>() -> Event<'t> {
    Event::Text(CowStr::Borrowed(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_comes_through() {
        for probe in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "[x](javascript:alert(1))",
            "[x](data:text/html,<script>)",
            "![x](https://track.example/pixel.png)",
            "<a href=\"javascript:alert(1)\">x</a>",
        ] {
            let text = render(probe);
            for bad in ["<script", "<img", "<a href=\"javascript", "<a href=\"data"] {
                assert!(!text.contains(bad), "{probe} gave {text}");
            }
        }
    }

    #[test]
    fn what_is_written_is_kept() {
        let text = render("# Title\n\nOne *two*.\n\n* a\n* b\n\n[home](https://example.org/)\n");
        assert!(text.contains("<h3>Title</h3>"), "{text}");
        assert!(text.contains("<li>a</li>"), "{text}");
        assert!(
            text.contains("<a href=\"https://example.org/\">home</a>"),
            "{text}"
        );
    }
}
