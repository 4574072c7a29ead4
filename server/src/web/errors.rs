//! Problems as pages: what happened, what was kept, what to do.

use super::ask::Ask;
use super::listing::encoded;
use super::page::Page;
use crate::problem::{PageProblem, Problem, render_pages};
use askama::Template;
use axum::http::{Method, Uri};
use axum::response::{Html, IntoResponse, Redirect, Response};

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    page: Page,
    heading: String,
    text: String,
    /// The stable code, to quote to support.
    code: &'static str,
    /// Whether looking for something helps.
    offers_search: bool,
}

/// Draws the problem that a response carries; who must sign in is sent there and comes back.
pub fn as_page(ask: &Ask, (method, uri): (&Method, &Uri), response: Response) -> Response {
    let carried = response.extensions().get::<PageProblem>();
    if carried.is_some_and(|PageProblem(problem)| problem.status == 401) && method == Method::GET {
        let back = uri.path_and_query().map_or("/", |path| path.as_str());
        return Redirect::to(&format!("/sign-in?next={}", encoded(back))).into_response();
    }
    render_pages(response, |problem| draw(ask, problem))
}

fn draw(ask: &Ask, problem: &Problem) -> Response {
    let (heading, text) = words(problem);
    let page = ask.page(heading);
    let own = format!("problem-{}", problem.code.replace('_', "-"));
    let text = if page.words.knows(&own) {
        page.say(&own)
    } else {
        page.say(text)
    };
    let template = ErrorPage {
        heading: page.say(heading),
        text,
        code: problem.code,
        offers_search: problem.status == 404,
        page,
    };
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the error page could not be drawn");
            problem.detail.clone().into_owned().into_response()
        }
    }
}

/// Heading and sentence of a status, for codes that have no sentence of their own.
fn words(problem: &Problem) -> (&'static str, &'static str) {
    match problem.status {
        401 => ("error-sign-in-title", "error-sign-in-text"),
        403 => ("error-forbidden-title", "error-forbidden-text"),
        404 => ("error-missing-title", "error-missing-text"),
        409 => ("error-conflict-title", "error-conflict-text"),
        429 => ("error-too-many-title", "error-too-many-text"),
        503 => ("error-busy-title", "error-busy-text"),
        500..=599 => ("error-ours-title", "error-ours-text"),
        _ => ("error-refused-title", "error-refused-text"),
    }
}

/// Any address that no page has.
pub async fn missing() -> PageProblem {
    PageProblem(Problem::not_found("There is no page at this address."))
}
