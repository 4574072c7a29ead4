//! Routes of affiliate programmes: the seller's, and those of who takes part; and how clicks travel,
//! in a signed cookie.

use super::clicks::{clicks_of_cookie, cookie_value};
use super::model::{AffiliateError, CODE, Terms};
use super::views::Shown;
use super::{
    Click, Join, Leave, Mine, MyReferrals, OpenProgrammes, OwnProgramme, Partner, SetPartner,
    SetProgramme, SetRate, click, join, leave, mine, my_referrals, open_programmes, own_programme,
    set_partner, set_programme, set_rate,
};
use crate::app::App;
use crate::limits::Rate;
use crate::problem::Problem;
use crate::wire::cookies::Cookie;
use crate::wire::{JsonBody, PathParam, Query, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use mintreu::Timestamp;
use mintreu::id::{AccountId, AffiliateClickId, AffiliationId, OrderLineId, ProductId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show_programme, put_programme))
        .routes(routes!(put_rate))
        .routes(routes!(put_partner))
        .routes(routes!(programmes))
        .routes(routes!(list_mine, post_join))
        .routes(routes!(delete_mine))
        .routes(routes!(referrals))
}

/// The clicks that a request's cookie names, the newest first.
pub fn clicks_of(app: &App, visitor: &Visitor, headers: &HeaderMap) -> Vec<AffiliateClickId> {
    let value = Cookie::Referral.read(&app.config, headers);
    let tenant = visitor.caller.tenant;
    value.map_or_else(Vec::new, |value| clicks_of_cookie(&app.keys, tenant, value))
}

/// Most clicks of one network that are looked at in a minute.
const CLICKS: Rate = Rate {
    burst: 10,
    refill_ms: 6_000,
};

/// Keeps a click on a link with `code`, and answers the cookie that names it. Programs that say so
/// aren't counted, nor is who follows links all the time; a link that is nobody's does nothing.
pub async fn follow(
    app: &App,
    visitor: &Visitor,
    (code, headers): (&str, &HeaderMap),
) -> Option<HeaderValue> {
    let network = visitor.client_key();
    let calm = app
        .limits
        .take("affiliates.click", &network, CLICKS, app.now());
    if calm.is_err() || is_program(headers) || code.len() != CODE {
        return None;
    }
    let command = Click {
        code: code.to_owned(),
        network,
    };
    let clicked = match app.transact(&visitor.caller, command, click).await {
        Ok(clicked) => clicked?,
        Err(error) => {
            // A page that is looked at isn't worth an error for it.
            tracing::warn!(%error, "a click was not kept");
            return None;
        }
    };
    let mut clicks = clicks_of(app, visitor, headers);
    clicks.retain(|known| *known != clicked);
    clicks.insert(0, clicked);
    let value = cookie_value(&app.keys, visitor.caller.tenant, &clicks);
    Some(Cookie::Referral.set(&app.config, &value))
}

fn is_program(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT);
    let agent = agent
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default();
    let agent = agent.to_lowercase();
    let signs = ["bot", "crawl", "spider", "preview", "headless"];
    agent.is_empty() || signs.iter().any(|sign| agent.contains(sign))
}

impl From<AffiliateError> for Problem {
    fn from(error: AffiliateError) -> Self {
        use AffiliateError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found("There is no such programme or affiliate."),
            E::Invalid(field) => Self::new(422, "input_invalid", detail).at(field),
            E::ConsentMissing => Self::new(422, "affiliate_consent_missing", detail).at("agreed"),
            E::OwnProgramme => Self::new(422, "affiliate_own_programme", detail),
            E::Suspended => Self::new(409, "affiliate_suspended", detail),
            E::CouponTaken => Self::new(409, "affiliate_coupon_taken", detail).at("coupon"),
            E::Money(error) => error.into(),
            E::Ledger(error) => error.into(),
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// A currency's amount.
#[derive(Serialize, ToSchema)]
pub struct EarnedOut {
    currency: String,
    amount_minor: i64,
}

/// Somebody's part in a programme.
#[derive(Serialize, ToSchema)]
pub struct AffiliationOut {
    affiliation_id: String,
    /// Whose programme.
    seller_id: String,
    /// For an affiliate the shop's name, for a seller the affiliate's.
    name: String,
    /// What links carry: any address of the shop with `?via=<code>`.
    code: String,
    /// `active`, `left` or `suspended`.
    standing: &'static str,
    /// A coupon that counts as the affiliate's when no click does.
    coupon_id: Option<String>,
    terms: Terms,
    /// Visitors a day, added up.
    clicks: i64,
    /// Lines that were paid for.
    sales: i64,
    /// What was earned less what went back.
    earned: Vec<EarnedOut>,
    /// Milliseconds since 1970 (UTC).
    joined_at: i64,
}

fn affiliation_out(partner: Partner) -> AffiliationOut {
    let of = partner.affiliation;
    let earned = partner.earned.into_iter().map(|earned| EarnedOut {
        currency: earned.currency().code().to_owned(),
        amount_minor: earned.minor(),
    });
    AffiliationOut {
        affiliation_id: of.id.to_string(),
        seller_id: of.seller.to_string(),
        name: partner.name,
        code: of.code,
        standing: of.standing.code(),
        coupon_id: of.coupon.map(|coupon| coupon.to_string()),
        terms: partner.terms,
        clicks: of.clicks,
        sales: partner.sales,
        earned: earned.collect(),
        joined_at: of.joined_at.ms(),
    }
}

/// A line that somebody brought. It names no buyer.
#[derive(Serialize, ToSchema)]
pub struct ReferralOut {
    order_line_id: String,
    affiliation_id: String,
    product_id: String,
    product: String,
    /// `click`, `code`, `coupon` or `renewal`.
    via: &'static str,
    /// `placed`, `pending`, `in_review`, `approved`, `paid`, `reversed` or `refused`.
    state: &'static str,
    /// Why nothing was earned: `self_referral`, `expired`, `closed`, `left`, `suspended`,
    /// `excluded`.
    refusal: Option<&'static str>,
    rate_bps: i64,
    commission_minor: i64,
    /// What went back of it.
    reversed_minor: i64,
    currency: String,
    placed_at: i64,
    credited_at: Option<i64>,
}

fn referral_out((referral, state, product): Shown) -> ReferralOut {
    ReferralOut {
        order_line_id: referral.line.to_string(),
        affiliation_id: referral.affiliation.to_string(),
        product_id: referral.product.to_string(),
        product,
        via: referral.via.code(),
        state: state.code(),
        refusal: referral.refusal.map(super::Refusal::code),
        rate_bps: referral.bps,
        commission_minor: referral.commission.minor(),
        reversed_minor: referral.reversed.minor(),
        currency: referral.commission.currency().code().to_owned(),
        placed_at: referral.placed_at.ms(),
        credited_at: referral.credited_at.map(Timestamp::ms),
    }
}

/// The rate of one product.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AffiliateRateIn)]
pub struct RateIn {
    /// 500 to 1000 basis points, 0 to take the product out, null for the programme's rate.
    rate_bps: Option<i64>,
}

/// A product with a rate of its own.
#[derive(Serialize, ToSchema)]
pub struct RateOut {
    product_id: String,
    rate_bps: i64,
}

/// A seller's programme.
#[derive(Serialize, ToSchema)]
pub struct ProgrammeOut {
    terms: Terms,
    rates: Vec<RateOut>,
    partners: Vec<AffiliationOut>,
    /// Newest first.
    referrals: Vec<ReferralOut>,
    /// Give it as `before` for the next page of referrals.
    next: Option<String>,
}

/// Which page.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct PageQuery {
    /// Where the page before ended.
    before: Option<String>,
    /// 1 to 100, 50 when absent.
    limit: Option<i64>,
}

fn before(query: &PageQuery) -> Result<Option<OrderLineId>, Problem> {
    let before = query.before.as_deref().map(OrderLineId::parse);
    Ok(before.transpose()?)
}

/// One's own programme, with who takes part and what they brought.
#[utoipa::path(get, path = "/v1/affiliate-programme", tag = "affiliates", params(PageQuery),
    responses((status = 200, body = ProgrammeOut), (status = 401), (status = 422)))]
async fn show_programme(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(query): Query<PageQuery>,
) -> Result<Json<ProgrammeOut>, Problem> {
    let asked = OwnProgramme {
        before: before(&query)?,
        limit: query.limit.unwrap_or(50),
    };
    let found = app.read(&visitor.caller, asked, own_programme).await?;
    let rates = found.rates.into_iter().map(|(product, rate_bps)| RateOut {
        product_id: product.to_string(),
        rate_bps,
    });
    Ok(Json(ProgrammeOut {
        terms: found.terms,
        rates: rates.collect(),
        partners: found.partners.into_iter().map(affiliation_out).collect(),
        referrals: found.referrals.into_iter().map(referral_out).collect(),
        next: found.next.map(|next| next.to_string()),
    }))
}

/// Say what is offered. What was brought before keeps its rate.
#[utoipa::path(put, path = "/v1/affiliate-programme", tag = "affiliates", request_body = Terms,
    responses((status = 200, body = Terms), (status = 403), (status = 422)))]
async fn put_programme(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<Terms>,
) -> Result<Json<Terms>, Problem> {
    let command = SetProgramme(body.value);
    let set = app
        .transact(&visitor.caller, command, set_programme)
        .await?;
    Ok(Json(set.terms))
}

/// Set the rate of one of one's own products.
#[utoipa::path(put, path = "/v1/affiliate-programme/rates/{product_id}", tag = "affiliates",
    request_body = RateIn, params(("product_id" = String, Path)),
    responses((status = 204), (status = 403), (status = 404), (status = 422)))]
async fn put_rate(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(product): PathParam<ProductId>,
    body: JsonBody<RateIn>,
) -> Result<StatusCode, Problem> {
    let rate_bps = body.value.rate_bps;
    let command = SetRate { product, rate_bps };
    app.transact(&visitor.caller, command, set_rate).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a seller decides about an affiliate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerIn {
    /// Whether their part is ended.
    suspended: bool,
    /// The code of one's own coupon that counts as theirs; absent for none.
    #[serde(default)]
    coupon: String,
}

/// End an affiliate's part or begin it again, and tie a coupon to them.
#[utoipa::path(put, path = "/v1/affiliate-programme/partners/{affiliation_id}",
    tag = "affiliates", request_body = PartnerIn, params(("affiliation_id" = String, Path)),
    responses((status = 204), (status = 404), (status = 409), (status = 422)))]
async fn put_partner(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(affiliation): PathParam<AffiliationId>,
    body: JsonBody<PartnerIn>,
) -> Result<StatusCode, Problem> {
    let command = SetPartner {
        affiliation,
        suspended: body.value.suspended,
        coupon: body.value.coupon,
    };
    app.transact(&visitor.caller, command, set_partner).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A programme that can be joined.
#[derive(Serialize, ToSchema)]
pub struct OpenOut {
    seller_id: String,
    name: String,
    terms: Terms,
}

/// Programmes that can be joined.
#[derive(Serialize, ToSchema)]
pub struct ProgrammesOut {
    programmes: Vec<OpenOut>,
}

/// Where the list begins.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct AfterQuery {
    /// The last `seller_id` of the page before.
    after: Option<String>,
}

/// Programmes that can be joined, a hundred a page.
#[utoipa::path(get, path = "/v1/affiliate-programmes", tag = "affiliates", params(AfterQuery),
    responses((status = 200, body = ProgrammesOut), (status = 422)))]
async fn programmes(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(query): Query<AfterQuery>,
) -> Result<Json<ProgrammesOut>, Problem> {
    let after = query.after.as_deref().map(AccountId::parse).transpose()?;
    let asked = OpenProgrammes { after };
    let found = app.read(&visitor.caller, asked, open_programmes).await?;
    let programmes = found.into_iter().map(|one| OpenOut {
        seller_id: one.seller.to_string(),
        name: one.name,
        terms: one.terms,
    });
    Ok(Json(ProgrammesOut {
        programmes: programmes.collect(),
    }))
}

/// One's own parts in programmes.
#[derive(Serialize, ToSchema)]
pub struct AffiliationsOut {
    affiliations: Vec<AffiliationOut>,
}

/// One's own parts in programmes, the oldest first.
#[utoipa::path(get, path = "/v1/affiliations", tag = "affiliates",
    responses((status = 200, body = AffiliationsOut), (status = 401)))]
async fn list_mine(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<AffiliationsOut>, Problem> {
    let found = app.read(&visitor.caller, Mine, mine).await?;
    Ok(Json(AffiliationsOut {
        affiliations: found.into_iter().map(affiliation_out).collect(),
    }))
}

/// Which programme to join.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinIn {
    seller_id: String,
    /// Yes to what the programme offers.
    agreed: bool,
}

/// What joining made.
#[derive(Serialize, ToSchema)]
pub struct JoinedOut {
    affiliation_id: String,
    /// What links carry: any address of the shop with `?via=<code>`.
    code: String,
}

/// Join a programme. Joining again answers the same code.
#[utoipa::path(post, path = "/v1/affiliations", tag = "affiliates", request_body = JoinIn,
    responses((status = 201, body = JoinedOut), (status = 404), (status = 409), (status = 422)))]
async fn post_join(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<JoinIn>,
) -> Result<(StatusCode, Json<JoinedOut>), Problem> {
    let command = Join {
        seller: AccountId::parse(&body.value.seller_id)?,
        agreed: body.value.agreed,
    };
    let joined = app.transact(&visitor.caller, command, join).await?;
    let out = JoinedOut {
        affiliation_id: joined.id.to_string(),
        code: joined.code,
    };
    Ok((StatusCode::CREATED, Json(out)))
}

/// Leave a programme. What was earned stays one's own.
#[utoipa::path(delete, path = "/v1/affiliations/{affiliation_id}", tag = "affiliates",
    params(("affiliation_id" = String, Path)), responses((status = 204), (status = 404)))]
async fn delete_mine(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(affiliation): PathParam<AffiliationId>,
) -> Result<StatusCode, Problem> {
    let command = Leave { affiliation };
    app.transact(&visitor.caller, command, leave).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A page of referrals.
#[derive(Serialize, ToSchema)]
pub struct ReferralsOut {
    /// Newest first.
    referrals: Vec<ReferralOut>,
    /// Give it as `before` for the next page.
    next: Option<String>,
}

/// What one brought, and where each stands.
#[utoipa::path(get, path = "/v1/referrals", tag = "affiliates", params(PageQuery),
    responses((status = 200, body = ReferralsOut), (status = 401), (status = 422)))]
async fn referrals(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(query): Query<PageQuery>,
) -> Result<Json<ReferralsOut>, Problem> {
    let asked = MyReferrals {
        before: before(&query)?,
        limit: query.limit.unwrap_or(50),
    };
    let (found, next) = app.read(&visitor.caller, asked, my_referrals).await?;
    Ok(Json(ReferralsOut {
        referrals: found.into_iter().map(referral_out).collect(),
        next: next.map(|next| next.to_string()),
    }))
}
