//! The portal itself: its settings, its parts, and which address leads where.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use banyan_assembly::Assembly;
use banyan_knowledge::{Embedder, Importer, Library, ZimShelf};
use banyan_openai::{Client, Health};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use rand::Rng as _;
use tokio::time::timeout;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::{Finder, Patience, Records};
use crate::answers::Answers;
use crate::assets::Assets;
use crate::engines::{EngineSpec, EngineView, Engines};
use crate::guard::guard;
use crate::keys::ApiKeys;
use crate::library::{Pace, Uploads};
use crate::moderation::{Effectives, follow, queue_under};
use crate::pages::{Pages, account, answer, chat, refused, status, why};
use crate::queue::{Member, QueueSettings, Turns};
use crate::serve::Limits;
use crate::visit::Visit;
use crate::{api, community, library, v1};

/// How long a page waits to learn how the engine is. A page without that is better than one that does not come.
const GLANCE: Duration = Duration::from_secs(1);

/// The box's mark, for browser tabs.
const ICON: &str = include_str!("../static/icon.svg");

/// The settings of a portal.
#[derive(Clone)]
pub struct PortalConfig {
    /// Where the engine listens.
    pub engine_socket: PathBuf,
    /// Engines on other machines that help the box's own.
    pub engines: Vec<EngineSpec>,
    /// The box's data folder; API keys are in `keys/` below it.
    pub data_dir: PathBuf,
    /// What the community calls its box; it stands on every page.
    pub community_name: String,
    /// The address that members type or scan, when it is known.
    pub public_url: Option<String>,
    /// How many and how long.
    pub limits: Limits,
    /// How long to wait for the engine.
    pub patience: Patience,
    /// How turns are given out.
    pub queue: QueueSettings,
    /// The community; absent: a portal without members and decisions, where whoever can reach it may ask.
    pub assembly: Option<Assembly>,
    /// The community's documents; absent: a portal without a library.
    pub library: Option<Library>,
    /// Takes in what members upload; absent: they cannot.
    pub importer: Option<Importer>,
    /// Turns questions into vectors; absent: passages are found by their words alone.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// Archives that are read beside the documents.
    pub zim: Option<ZimShelf>,
    /// Why the community's store cannot be opened. Then nobody is answered, and every page says so.
    pub trouble: Option<String>,
}

impl PortalConfig {
    /// A portal named "Banyan" with the default limits.
    pub fn new(engine_socket: impl Into<PathBuf>, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            engine_socket: engine_socket.into(),
            engines: Vec::new(),
            data_dir: data_dir.into(),
            community_name: "Banyan".into(),
            public_url: None,
            limits: Limits::default(),
            patience: Patience::default(),
            queue: QueueSettings::default(),
            assembly: None,
            library: None,
            importer: None,
            embedder: None,
            zim: None,
            trouble: None,
        }
    }
}

impl std::fmt::Debug for PortalConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PortalConfig")
            .field("engine_socket", &self.engine_socket)
            .field("data_dir", &self.data_dir)
            .field("community_name", &self.community_name)
            .field("library", &self.library.is_some())
            .field("trouble", &self.trouble)
            .finish_non_exhaustive()
    }
}

/// Answers requests. Cheap to clone.
#[derive(Clone)]
pub struct Portal {
    parts: Arc<Parts>,
}

struct Parts {
    config: PortalConfig,
    engines: Engines,
    turns: Turns,
    answers: Answers,
    records: Records,
    effectives: Effectives,
    /// Makes names of members that engines see, and nobody else can make again.
    secret: [u8; 32],
    keys: ApiKeys,
    uploads: Uploads,
    pace: Pace,
    assets: Assets,
    pages: Pages,
}

impl Portal {
    /// A portal with these settings. Nothing is opened or connected yet.
    #[must_use]
    pub fn new(config: PortalConfig) -> Self {
        let assets = Assets::embedded();
        let own = EngineSpec::own(&config.engine_socket);
        let specs = std::iter::once(own).chain(config.engines.iter().cloned()).collect();
        let engines = Engines::new(specs, &config.patience);
        let in_force = config.assembly.as_ref().map(Assembly::in_force).unwrap_or_default();
        let queue = queue_under(&config.queue, &in_force, community::now());
        let turns = Turns::new(queue, engines.clone());
        let records = Records::new(config.assembly.clone(), engines.clone());
        let parts = Parts {
            answers: Answers::new(
                turns.clone(),
                engines.clone(),
                records.clone(),
                finder(&config),
                config.patience.clone(),
            ),
            records,
            effectives: Effectives::new(config.assembly.clone()),
            engines,
            turns,
            secret: rand::rng().random(),
            keys: ApiKeys::new(&config.data_dir),
            uploads: Uploads::new(),
            pace: Pace::new(),
            pages: Pages::new(
                &config.community_name,
                &assets,
                config.assembly.clone(),
                config.library.is_some(),
            ),
            assets,
            config,
        };
        Self { parts: Arc::new(parts) }
    }

    /// Which address leads where, with everything that each request passes.
    pub fn router(&self) -> Router {
        if self.parts.config.trouble.is_some() {
            return self.router_in_trouble();
        }
        let (documented, _) = documented().split_for_parts();
        documented
            .route("/", get(chat::home))
            .route("/chat", get(chat::reload).post(chat::ask))
            .route("/chat/{answer}", get(answer::show))
            .route("/chat/{answer}/stop", post(answer::stop))
            .route("/why/{entry}", get(why::show))
            .route("/status", get(status::status))
            .route("/join", get(account::join_form).post(account::join))
            .route("/sign-in", get(account::sign_in_form).post(account::sign_in))
            .route("/sign-out", post(account::sign_out))
            .route("/library", get(library::pages::shelves))
            .route("/library/search", get(library::pages::search))
            .route("/library/d/{id}", get(library::pages::document))
            .route("/library/z/{zim}", get(library::pages::first_article))
            .route("/library/z/{zim}/{*path}", get(library::pages::article))
            .route("/library/questions", get(library::pages::list).post(library::pages::ask))
            .route("/library/questions/{id}", get(library::pages::thread).post(library::pages::answer))
            .route("/healthz", get(async || "ok\n"))
            .route("/api/openapi.json", get(api::openapi))
            .route("/assets/{*path}", get(asset))
            .route("/icon.svg", get(icon))
            .fallback(refused::not_found)
            .method_not_allowed_fallback(refused::method_not_allowed)
            .layer(from_fn_with_state(self.clone(), guard))
            .with_state(self.clone())
    }

    /// Without the community's store its rules are not known: every address says what is wrong.
    fn router_in_trouble(&self) -> Router {
        Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/assets/{*path}", get(asset))
            .route("/icon.svg", get(icon))
            .fallback(refused::in_trouble)
            .layer(from_fn_with_state(self.clone(), guard))
            .with_state(self.clone())
    }

    /// Why the community's store cannot be opened.
    pub(crate) fn trouble(&self) -> &str {
        self.parts.config.trouble.as_deref().unwrap_or_default()
    }

    /// How the engine is, when it says so at once.
    pub(crate) async fn health_at_a_glance(&self) -> Option<Health> {
        timeout(GLANCE, self.engine().health()).await.ok()?.ok()
    }

    /// Begins to look after engines and turns; needs a runtime.
    pub(crate) fn spawn_watch(&self) {
        self.parts.engines.spawn_watch();
        self.parts.turns.spawn_watch();
        if let Some(assembly) = self.maybe_assembly() {
            let (turns, answers) = (self.turns().clone(), self.answers().clone());
            tokio::spawn(follow(assembly.clone(), self.parts.config.queue.clone(), turns, answers));
            self.answers().spawn_desk(assembly.clone(), self.effectives().clone());
        }
        library::uploads::tidy(self.data_dir());
    }

    /// The box's own engine.
    pub(crate) fn engine(&self) -> &Client {
        self.parts.engines.own()
    }

    /// How each engine is, the box's own first.
    #[must_use]
    pub fn engine_views(&self) -> Vec<EngineView> {
        self.parts.engines.views()
    }

    pub(crate) fn engines(&self) -> &Engines {
        &self.parts.engines
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.parts.turns
    }

    pub(crate) fn answers(&self) -> &Answers {
        &self.parts.answers
    }

    /// What holds for answers.
    pub(crate) fn effectives(&self) -> &Effectives {
        &self.parts.effectives
    }

    /// Where answers are written down.
    pub(crate) fn records(&self) -> &Records {
        &self.parts.records
    }

    /// Under which name the engine may keep what it computed of a member's text. Another member cannot make it, so how
    /// fast an answer begins tells nothing about what others asked. `own`: what a program says for itself.
    pub(crate) fn cache_salt(&self, member: &Member, own: &str) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.parts.secret);
        hasher.update(&(member.name().len() as u64).to_le_bytes());
        hasher.update(member.name().as_bytes());
        hasher.update(own.as_bytes());
        hasher.finalize().to_hex()[..32].to_owned()
    }

    pub(crate) fn keys(&self) -> &ApiKeys {
        &self.parts.keys
    }

    pub(crate) fn pages(&self) -> &Pages {
        &self.parts.pages
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.parts.config.limits
    }

    pub(crate) fn patience(&self) -> &Patience {
        &self.parts.config.patience
    }

    /// The community, if there can be one.
    pub(crate) fn maybe_assembly(&self) -> Option<&Assembly> {
        self.parts.config.assembly.as_ref()
    }

    /// The community's documents, if there is a library.
    pub(crate) fn maybe_library(&self) -> Option<&Library> {
        self.parts.config.library.as_ref()
    }

    /// What takes in uploads.
    pub(crate) fn importer(&self) -> Option<&Importer> {
        self.parts.config.importer.as_ref()
    }

    /// What turns questions into vectors.
    pub(crate) fn embedder(&self) -> Option<&dyn Embedder> {
        self.parts.config.embedder.as_deref()
    }

    /// Archives that are read beside the documents.
    pub(crate) fn zim(&self) -> Option<&ZimShelf> {
        self.parts.config.zim.as_ref()
    }

    /// How uploads are doing.
    pub(crate) fn uploads(&self) -> &Uploads {
        &self.parts.uploads
    }

    /// How fast one person uses the library.
    pub(crate) fn pace(&self) -> &Pace {
        &self.parts.pace
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.parts.config.data_dir
    }

    /// What the community calls its box in the settings.
    pub(crate) fn community_name(&self) -> &str {
        &self.parts.config.community_name
    }

    pub(crate) fn public_url(&self) -> Option<&str> {
        self.parts.config.public_url.as_deref()
    }
}

impl std::fmt::Debug for Portal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Portal").field("config", &self.parts.config).finish_non_exhaustive()
    }
}

/// Where answers find what they rest on; none on a box without a library.
fn finder(config: &PortalConfig) -> Option<Finder> {
    let library = config.library.clone()?;
    Some(Finder::new(library, config.embedder.clone(), config.zim.clone(), config.assembly.clone()))
}

async fn asset(
    State(portal): State<Portal>,
    Extension(visit): Extension<Visit>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let found = portal.parts.assets.serve(uri.path(), &headers);
    found.unwrap_or_else(|| portal.refuse(&visit, StatusCode::NOT_FOUND))
}

async fn icon() -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400")),
    ];
    (headers, Body::from(ICON)).into_response()
}

/// The addresses that programs use. They can only be added here, so none is without its description.
fn documented() -> OpenApiRouter<Portal> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(api::chat))
        .routes(routes!(api::resume, api::stop))
        .routes(routes!(api::status))
        .routes(routes!(api::audit::audit))
        .routes(routes!(api::held::own))
        .routes(routes!(api::held::settle))
        .routes(routes!(api::history::list))
        .routes(routes!(api::history::read, api::history::keep, api::history::forget))
        .routes(routes!(api::trial::try_policy))
        .routes(routes!(v1::chat_completions))
        .routes(routes!(v1::completions))
        .routes(routes!(v1::embeddings))
        .routes(routes!(v1::rerank))
        .routes(routes!(v1::models))
        .routes(routes!(v1::model))
        // Members, sessions, roles, conduct.
        .routes(routes!(community::me))
        .routes(routes!(community::founding, community::found))
        .routes(routes!(community::join))
        .routes(routes!(community::sign_in))
        .routes(routes!(community::sign_out))
        .routes(routes!(community::change_secret))
        .routes(routes!(community::leave))
        .routes(routes!(community::reset))
        .routes(routes!(community::invitations, community::invite))
        .routes(routes!(community::withdraw_invitation))
        .routes(routes!(community::members))
        .routes(routes!(community::allow_reset))
        .routes(routes!(community::roles))
        .routes(routes!(community::report))
        .routes(routes!(community::moderation))
        .routes(routes!(community::settle_case))
        .routes(routes!(community::cases))
        .routes(routes!(community::appeal))
        .routes(routes!(community::mediation))
        .routes(routes!(community::outcome))
        .routes(routes!(community::agree))
        .routes(routes!(community::close_case))
        .routes(routes!(community::emergencies, community::ask_emergency))
        .routes(routes!(community::agree_to_emergency))
        // Proposals, votes, policies, the ledger.
        .routes(routes!(community::proposals, community::propose))
        .routes(routes!(community::proposal, community::amend))
        .routes(routes!(community::submit))
        .routes(routes!(community::open))
        .routes(routes!(community::withdraw))
        .routes(routes!(community::comment))
        .routes(routes!(community::held_comments))
        .routes(routes!(community::settle_comment, community::erase_comment))
        .routes(routes!(community::vote, community::take_back_vote))
        .routes(routes!(community::issue_paper_codes))
        .routes(routes!(community::cast_paper_ballot))
        .routes(routes!(community::delegations, community::delegate, community::end_delegation))
        .routes(routes!(community::policy))
        .routes(routes!(community::policy_history))
        .routes(routes!(community::constitution))
        .routes(routes!(community::ledger))
        .routes(routes!(community::verify_ledger))
        .routes(routes!(community::export_ledger))
        // The library.
        .routes(routes!(library::shelves::list, library::shelves::make))
        .routes(routes!(library::shelves::change))
        .routes(routes!(library::documents::list, library::uploads::give))
        .routes(routes!(library::documents::read, library::documents::edit, library::documents::withdraw))
        .routes(routes!(library::history::versions))
        .routes(routes!(library::history::diff))
        .routes(routes!(library::history::restore))
        .routes(routes!(library::history::original))
        .routes(routes!(library::uploads::list))
        .routes(routes!(library::uploads::show))
        .routes(routes!(library::search::search))
        .routes(routes!(library::review::desk))
        .routes(routes!(library::review::settle))
        .routes(routes!(library::mine::list, library::mine::withdraw))
        .routes(routes!(library::mine::export))
        .routes(routes!(library::export::export))
        .routes(routes!(library::articles::article))
        .routes(routes!(library::questions::list, library::questions::ask))
        .routes(routes!(library::questions::show, library::questions::withdraw))
        .routes(routes!(library::questions::answer))
        .routes(routes!(library::questions::withdraw_answer))
        .routes(routes!(library::questions::close))
        .routes(routes!(library::questions::keep))
        .routes(routes!(library::questions::unanswered))
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Banyan", description = "The box's APIs: `/api` for its own web app, `/v1` for programs with a key."),
    components(schemas(banyan_openai::ChatChunk, banyan_openai::CompletionChunk)),
    modifiers(&ApiKeyScheme),
    tags(
        (name = "app", description = "The web app's"),
        (name = "people", description = "Members, sessions, roles, and what happens between people"),
        (name = "decide", description = "Proposals, votes, delegations, what is in force, and the ledger"),
        (name = "library", description = "The community's documents: reading, searching, giving, keeping them"),
        (name = "openai", description = "OpenAI-compatible, with a key of this box"),
    )
)]
struct Description;

struct ApiKeyScheme;

impl Modify for ApiKeyScheme {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("bk_…").build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("api_key", SecurityScheme::Http(scheme));
    }
}

/// The description of all APIs (OpenAPI 3.1), as `GET /api/openapi.json` gives it.
#[must_use]
pub fn openapi_json() -> &'static str {
    static JSON: LazyLock<String> = LazyLock::new(|| {
        let (_, openapi) = documented().split_for_parts();
        let json = openapi.to_pretty_json().expect("a description is plain data; a test writes it");
        json + "\n"
    });
    &JSON
}
