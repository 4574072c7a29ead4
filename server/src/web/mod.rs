//! The storefront and the dashboards: pages drawn on the server, for people.
//!
//! A handler asks the domains through the same commands and queries as every other face, turns
//! the answer into a view (plain strings, ready formatted) and hands it to a template. Templates
//! hold no logic beyond loops and choices.
//!
//! # Invariants
//! * Everything works without JavaScript; the one script only adds comfort.
//! * No inline script or style: the pages live under a strict content security policy.
//! * Every sentence comes from the locale files; money, numbers and dates from [`mod@format`].
//! * Every form that changes something carries its visitor's token.
//! * A refused form comes back with what was typed and the mistake at its field.
//! * What a person may not see and what doesn't exist look the same.
//!
//! Start reading at [`ask`] (what a handler is given), then any page's file.

pub mod account;
pub mod activate;
pub mod affiliate;
pub mod answer;
pub mod ask;
pub mod assets;
pub mod behind;
pub mod bundle;
pub mod cart;
pub mod checkout;
pub mod cycle;
pub mod embed;
pub mod errors;
pub mod format;
pub mod gift;
pub mod api_keys;
pub mod hosts;
pub mod license;
pub mod listing;
mod markdown;
pub mod methods;
pub mod order;
mod order_back;
pub mod orders;
pub mod owner;
pub mod page;
pub mod papers;
pub mod parts;
pub mod product;
pub mod refund_form;
pub mod sandbox;
pub mod sell;
mod settings;
pub mod seo;
pub mod shelf;
pub mod shop;
pub mod subscriptions;
mod tax;
pub mod trial;
pub mod upgrade;
pub mod usage;
pub mod verify;
pub mod wishes;
pub mod withdraw;

use crate::app::App;
use crate::gateways;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use std::sync::Arc;

/// Every page. It lies inside the middleware that knows who asks.
pub fn router(app: &Arc<App>) -> Router<Arc<App>> {
    // The sandbox's payment page stands in for a provider's; it speaks the visitor's language too.
    let payment = gateways::sandbox::page::routes();
    let pages = shop_pages()
        .merge(own_pages())
        .merge(sell_pages())
        .merge(owner_pages())
        .merge(payment);
    pages
        .fallback(errors::missing)
        .layer(from_fn_with_state(app.clone(), ask::speak))
        .route("/assets/{name}", get(assets::serve))
}

fn shop_pages() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(shop::home))
        .route("/c/{*path}", get(shop::category))
        .route("/search", get(shop::search))
        .route("/p/{slug}", get(shop::product))
        .route("/p/{slug}/try", get(trial::show).post(trial::begin))
        .route(
            "/checkout/{slug}",
            get(checkout::show).post(checkout::place),
        )
        .route("/bundles", get(bundle::list))
        .route("/b/{slug}", get(bundle::show))
        .route(
            "/b/{slug}/checkout",
            get(bundle::checkout).post(bundle::place),
        )
        .route("/buy/{slug}", get(embed::buy))
        .route("/embed/{slug}", get(embed::button))
        .route("/embed.js", get(embed::script))
        .route("/cart", get(cart::show))
        .route("/cart/add", post(cart::add))
        .route("/cart/change", post(cart::change))
        .route("/cart/remove", post(cart::remove))
        .route("/cart/remind", post(cart::remind))
        .route("/cart/checkout", get(cart::checkout).post(cart::place))
        .route("/sandbox", get(sandbox::show).post(sandbox::act))
        .route("/sandbox/clock", post(sandbox::move_clock))
        .route("/robots.txt", get(seo::robots))
        .route("/sitemap.xml", get(seo::sitemap))
}

fn own_pages() -> Router<Arc<App>> {
    Router::new()
        .route("/account", get(settings::show))
        .route("/account/email", post(settings::ask_email))
        .route("/account/email/leave", post(settings::leave))
        .route(
            "/account/email/confirm",
            get(settings::confirm_page).post(settings::confirm),
        )
        .route(
            "/account/email/stop",
            get(settings::stop_page).post(settings::stop),
        )
        .route("/orders", get(orders::list))
        .route("/orders/{id}", get(order::show))
        .route("/orders/{id}/pay", post(checkout::retry))
        .route("/orders/{id}/invoice", get(papers::of_order))
        .route("/orders/{id}/claim", post(order::claim))
        .route("/orders/{id}/subscription", post(order::end))
        .route("/orders/{id}/subscription/method", post(order::leave))
        .route("/orders/{id}/gift", post(gift::send))
        .route(
            "/orders/{id}/wishes",
            get(wishes::own).post(wishes::own_act),
        )
        .route(
            "/orders/{id}/withdraw",
            get(withdraw::show).post(withdraw::confirm),
        )
        .route("/gifts/{id}", get(gift::show).post(gift::claim))
        .route("/licenses", get(license::list))
        .route("/licenses/{id}", get(license::show))
        .route(
            "/licenses/{id}/upgrade",
            get(upgrade::show).post(upgrade::wish),
        )
        .route("/licenses/{id}/move", post(license::move_device))
        .route("/licenses/{id}/api-keys", post(api_keys::create))
        .route("/licenses/{id}/api-keys/{key}", post(api_keys::act))
        .route("/licenses/{id}/hosts", post(hosts::delegate))
        .route("/licenses/{id}/hosts/{host}/file", get(hosts::file))
        .route("/licenses/{id}/{file}", get(license::file))
        .route("/payment-methods", get(methods::list))
        .route("/payment-methods/add", post(methods::add))
        .route("/payment-methods/{id}/remove", post(methods::remove))
        .route("/subscriptions", get(subscriptions::list))
        .route(
            "/subscriptions/{id}",
            get(subscriptions::show).post(subscriptions::wish),
        )
        .route("/redeem", get(license::redeem_page).post(license::redeem))
        .route("/activate", get(activate::show).post(activate::activate))
        .route("/affiliate", get(affiliate::show))
        .route("/affiliate/join", post(affiliate::enter))
        .route("/affiliate/leave", post(affiliate::quit))
        .route("/usage", get(usage::show))
        .route("/usage/reports", post(usage::wish))
        .route(
            "/usage/{license}/automatic-payment/end",
            post(usage::end_automatic),
        )
        .route("/usage/{license}/export", get(behind::export))
        .route("/usage/{license}/sources/{meter}", get(behind::period))
        .route("/invoices/{id}/usage/{meter}", get(behind::invoice))
        .route("/verify-usage", get(verify::show).post(verify::upload))
        .route("/invoices", get(papers::list))
        .route("/invoices.csv", get(papers::csv))
        .route("/invoices/{id}", get(papers::invoice))
        .route("/invoices/{id}/buyer", post(papers::buyer))
        .route("/invoices/{id}/pay", post(papers::money::pay))
        .route("/invoices/{id}/void", post(papers::money::void))
        .route(
            "/invoices/{id}/refund",
            get(papers::money::refund_form).post(papers::money::refund),
        )
        .route("/invoices/{id}/invoice.pdf", get(papers::files::invoice))
        .route("/credit-notes/{id}", get(papers::credit))
        .route(
            "/credit-notes/{id}/credit-note.pdf",
            get(papers::files::credit),
        )
        .route(
            "/sign-in",
            get(account::sign_in_page).post(account::sign_in),
        )
        .route(
            "/sign-up",
            get(account::sign_up_page).post(account::sign_up),
        )
        .route("/sign-out", post(account::sign_out))
}

fn owner_pages() -> Router<Arc<App>> {
    Router::new()
        .route("/owner", get(owner::overview))
        .route("/owner/ledger", get(owner::ledger::show))
        .route("/owner/ledger/entries", get(owner::ledger::list))
        .route("/owner/ledger/entries.csv", get(owner::ledger::csv))
        .route("/owner/ledger/transactions/{id}", get(owner::ledger::one))
        .route("/owner/payouts", get(owner::payouts::list))
        .route("/owner/payouts/start", post(owner::payouts::start))
        .route("/owner/payouts/retry/{id}", post(owner::payouts::retry))
        .route("/owner/payouts/again/{id}", post(owner::payouts::again))
        .route("/owner/payouts/{id}", get(owner::payouts::show))
        .route("/owner/sellers", get(owner::sellers::list))
        .route(
            "/owner/sellers/{id}",
            get(owner::sellers::show).post(owner::sellers::change),
        )
        .route("/owner/taxes", get(owner::taxes::show))
        .route("/owner/wishes", get(wishes::owned).post(wishes::owned_act))
        .route("/owner/disputes", get(owner::disputes::list))
        .route(
            "/owner/disputes/{id}",
            get(owner::disputes::show).post(owner::disputes::decide_one),
        )
        .route("/owner/risk", get(owner::risk::show))
        .route("/owner/risk/rules", post(owner::risk::set_rule))
        .route(
            "/owner/risk/rules/{id}/delete",
            post(owner::risk::drop_rule),
        )
        .route("/owner/risk/entries", post(owner::risk::set_entry))
        .route("/owner/risk/entries/{id}/lift", post(owner::risk::lift))
        .route("/owner/risk/reviews/{id}", post(owner::risk::decide))
        .route(
            "/owner/disputes/{id}/answer",
            get(answer::owner_show).post(answer::owner_act),
        )
        .route("/owner/fees", get(owner::fees::show).post(owner::fees::set))
        .route("/owner/fees/disputes", post(owner::fees::set_dispute))
}

fn sell_pages() -> Router<Arc<App>> {
    Router::new()
        .route("/sell", get(sell::overview))
        .route("/sell/open", post(sell::open))
        .route(
            "/sell/close",
            get(sell::close::show).post(sell::close::close),
        )
        .route("/sell/products", get(sell::products))
        .route(
            "/sell/products/new",
            get(sell::editor::new).post(sell::editor::create),
        )
        .route(
            "/sell/products/{id}",
            get(sell::editor::edit).post(sell::editor::save),
        )
        .route(
            "/sell/products/{id}/archive",
            get(sell::archive::show).post(sell::archive::archive),
        )
        .route(
            "/sell/products/{id}/subscribers",
            get(subscriptions::subscribers),
        )
        .route(
            "/sell/products/{id}/prices",
            get(sell::prices::show).post(sell::prices::save),
        )
        .route(
            "/sell/products/{id}/prices/switch",
            post(sell::prices::switch),
        )
        .route(
            "/sell/products/{id}/prices/move",
            post(sell::prices::move_subscribers),
        )
        .route("/sell/products/{id}/licenses", get(sell::licenses::show))
        .route(
            "/sell/products/{id}/licenses/issue",
            post(sell::licenses::issue),
        )
        .route(
            "/sell/products/{id}/licenses/import",
            post(sell::licenses::import),
        )
        .route(
            "/sell/products/{id}/licenses/{batch}/codes.csv",
            get(sell::licenses::csv),
        )
        .route(
            "/sell/products/{id}/licenses/{batch}/revoke",
            post(sell::licenses::revoke),
        )
        .route(
            "/sell/coupons",
            get(sell::coupons::list).post(sell::coupons::create),
        )
        .route(
            "/sell/coupons/{id}",
            get(sell::coupons::edit).post(sell::coupons::save),
        )
        .route("/sell/coupons/{id}/switch", post(sell::coupons::switch))
        .route(
            "/sell/bundles",
            get(sell::bundles::list).post(sell::bundles::create),
        )
        .route(
            "/sell/bundles/{id}",
            get(sell::bundles::edit).post(sell::bundles::save),
        )
        .route("/sell/bundles/{id}/switch", post(sell::bundles::switch))
        .route(
            "/sell/affiliates",
            get(sell::affiliates::show).post(sell::affiliates::save),
        )
        .route("/sell/affiliates/rates", post(sell::affiliates::set_one))
        .route(
            "/sell/affiliates/partners/{id}",
            post(sell::affiliates::decide),
        )
        .route("/sell/embed", get(embed::hosts).post(embed::save))
        .route("/sell/wishes", get(wishes::sell).post(wishes::sell_act))
        .route("/sell/sales", get(sell::sales::list))
        .route("/sell/sales.csv", get(sell::sales::csv))
        .route("/sell/sales/{line}", get(sell::sale::show))
        .route("/sell/sales/{line}/refund", post(sell::refund::refund))
        .route(
            "/sell/disputes/{id}",
            get(answer::sell_show).post(answer::sell_act),
        )
        .route("/sell/invoices", get(papers::sold))
        .route("/sell/invoices.csv", get(papers::sold_csv))
        .route("/sell/payouts", get(sell::payouts::list))
        .route("/sell/payouts/settings", post(sell::payouts::set))
        .route("/sell/payouts/{id}", get(sell::payouts::show))
        .route(
            "/sell/payouts/{id}/statement.csv",
            get(sell::statements::csv),
        )
        .route(
            "/sell/payouts/{id}/statement.pdf",
            get(sell::statements::pdf),
        )
        .route("/sell/usage", get(sell::usage))
        .route("/sell/meters", get(sell::meters::show))
        .route("/sell/meters.csv", get(sell::meters::download))
        .route("/sell/usage/decide", post(sell::trouble::decide))
        .route("/sell/usage/late", post(sell::late::set))
        .route(
            "/sell/webhooks",
            get(sell::webhooks::list).post(sell::webhooks::create),
        )
        .route(
            "/sell/webhooks/{id}",
            get(sell::webhooks::show).post(sell::webhooks::act),
        )
        .route(
            "/sell/webhooks/deliveries/{id}",
            get(sell::deliveries::show).post(sell::deliveries::again),
        )
        .route("/sell/keys", get(sell::keys::show))
        .route("/sell/keys/newest.mtk", get(sell::keys::download))
        .route("/sell/keys/rotate", post(sell::keys::rotate))
        .route("/sell/keys/revoke", post(sell::keys::revoke))
        .route("/sell/keys/upload", post(sell::keys::upload))
}
