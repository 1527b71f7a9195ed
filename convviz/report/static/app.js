(()=>{var S,lt,an,Z,je,Ce,ct,we,ut,He,Be,rn,fe=Symbol.for("pv"),Se={},Me=[],ln=/^m(i|n|o|s|text|space)$/,Ue=Array.isArray,Fe=Me.slice,se=Object.assign;function ne(e){e&&e.parentNode&&e.remove()}function dt(e,t,n){var s,a,o,i={},r=arguments.length;for(o in t)o=="key"?s=t[o]:o=="ref"&&typeof e!="function"?a=t[o]:i[o]=t[o];return r>2&&(i.children=r>3?Fe.call(arguments,2):n),pe(e,i,s,a,null)}function pe(e,t,n,s,a){var o={type:e,props:t,key:n,ref:s,__k:null,__:null,__b:0,__e:null,__c:null,constructor:fe,__v:a||++lt,__i:-1,__u:0};return!a&&S.vnode&&S.vnode(o),o}function Ee(e){return e.children}function xe(e,t){this.props=e,this.context=t,this.__g=0}function Y(e,t){if(t==null)return e.__&&Y(e.__,e.__i+1);for(var n;t<e.__k.length;t++)if((n=e.__k[t])&&n.__e)return n.__e;return typeof e.type!="function"||e.props.__P?null:Y(e)}function cn(e){var t,n=e.__v,s=n.__e,a=[],o=[],i=e.__P;i&&((t=se({constructor:fe},n)).__v=n.__v+1,S.vnode&&S.vnode(t),We(i,t,n,e.__n,i.namespaceURI,32&n.__u?[s]:null,a,s||Y(n),32&n.__u,o),t.__v=n.__v,t.__.__k[t.__i]=t,$t(a,t,o),n.__=n.__e=null,t.__e!=s&&pt(t))}function pt(e){if((e=e.__)&&e.__c&&!e.props.__P)return e.__e=null,e.__k.some(function(t){return t&&(e.__e=t.__e)}),pt(e)}function rt(e){(8&e.__g||(e.__g|=8,Z.push(e),Ce++))&&je==S.debounceRendering||((je=S.debounceRendering)||queueMicrotask)(ft)}function ft(){try{for(var e,t=1;Z.length;)Z.length>t&&Z.sort(ct),e=Z.shift(),t=Z.length,8&e.__g&&cn(e)}finally{(Ce=Z.length)&&(je||queueMicrotask)(ft)}}function ht(e,t,n,s,a,o,i,r,l,p,d){var f,h,c,m,g,b,v=s.__k||Me,$=t.length;for(l=un(n,t,v,l,$),f=0;f<$;f++)(c=n.__k[f])!=null&&(h=~c.__i&&v[c.__i]||Se,c.__i=f,b=We(e,c,h,a,o,i,r,l,p,d),m=c.__e,(h.ref!=c.ref||8&h.__u)&&(h.ref&&qe(h.ref,null,c,h),c.ref&&d.push(c.ref,c.__c||m,c)),g=g||m,4&c.__u?(l=mt(c,l,e,!h.__v),h.__e&&(h.__e=null)):typeof c.type=="function"&&b!==void 0?l=b:m&&(l=m.nextSibling),c.__u&=-21);return n.__e=g,l}function un(e,t,n,s,a){var o,i,r,l,p,d,f,h,c,m=n.length,g=m,b=0,v=0,$=e.__k=Array(a);for(o=0;o<a;o++)(i=t[o])!=null&&typeof i!="boolean"&&typeof i!="function"?(typeof i!="object"||i.constructor===String?i=$[o]=pe(null,i):Ue(i)?i=$[o]=pe(Ee,{children:i}):i.constructor===fe&&i.__b?i=$[o]=pe(i.type,i.props,i.key,i.ref,i.__v):$[o]=i,l=o+b,i.__=e,i.__b=e.__b+1,r=null,~(p=i.__i=dn(i,n,l,g))&&(g--,(r=n[p])&&(r.__u|=2)),r&&r.__v?(i.__u|=16,p==l-1?b--:p==l+1?b++:p!=l&&(p>l?b--:b++,v=1)):(~p||(a>m?b--:a<m&&b++),typeof i.type!="function"&&(i.__u|=4))):$[o]=null;if(v){for(d=[],f=[],o=0;o<a;o++)if((i=$[o])&&16&i.__u){for(b=0,h=d.length;b<h;)d[c=b+h>>1]<i.__i?b=c+1:h=c;d[b]=i.__i,f[o]=b+1}for(b=d.length;o--;)f[o]&&(f[o]==b?b--:$[o].__u|=4)}if(g)for(o=0;o<m;o++)!(r=n[o])||2&r.__u||(r.__e==s&&(s=Y(r)),Ke(r,r));return s}function mt(e,t,n,s){var a,o,i,r;if(typeof e.type=="function"){if(e.props.__P)return t;if(a=e.__k)for(o=0;o<a.length;o++)a[o]&&(a[o].__=e,t=mt(a[o],t,n,!1));return t}for(t&&!t.parentNode&&(t=Y(e))&&!t.parentNode&&(t=null),i=e.__e,r=t;r&&r.nodeType==8;)r=r.nextSibling;for(i!=r&&(!s&&n.moveBefore&&i.parentNode?n.moveBefore(i,t):n.insertBefore(i,t||null)),t=i;(t=t&&t.nextSibling)&&t.nodeType==8&&!t.data.startsWith("$s"););return t}function dn(e,t,n,s){var a,o=e.key,i=e.type,r=t[n],l=r&&!(2&r.__u);if(r===null&&o==null||l&&o==r.key&&i==r.type)return n;if(s>(l?1:0)){for(a=n-1;a>=0;a--)if((r=t[a])&&!(2&r.__u)&&o==r.key&&i==r.type)return a;for(a=n+1;a<t.length;a++)if((r=t[a])&&!(2&r.__u)&&o==r.key&&i==r.type)return a}return-1}function it(e,t,n){n==null&&(n=""),t[0]=="-"?e.setProperty(t,n):e[t]=n}function ye(e,t,n,s,a){var o,i;if(t=="style")if(typeof n=="string")e.style.cssText=n;else{if(typeof s=="string"&&(e.style.cssText=s=""),s)for(t in s)n&&t in n||it(e.style,t);if(n)for(t in n)s&&n[t]==s[t]||it(e.style,t,n[t])}else if(t[0]=="o"&&t[1]=="n")typeof n!="function"&&(n=null),typeof s!="function"&&(s=null),(e.__e||(e.__e={}))[t]=n,n&&s||(i=Be[t]||(Be[t]=pn(t)),(e.__a||(e.__a={}))[t]=He,o=t!=(t=t.replace(ut,"$1")),(t=t.slice(2))[0]<"a"&&(t=t.toLowerCase()),n?e.addEventListener(t,i,o):e.removeEventListener(t,i,o));else{if(a=="http://www.w3.org/2000/svg")t=t.replace(/xlink(H|:h)/,"h").replace(/sName$/,"s");else if(t!="width"&&t!="height"&&t!="href"&&t!="list"&&t!="form"&&t!="tabIndex"&&t!="download"&&t!="rowSpan"&&t!="colSpan"&&t!="role"&&t!="popover"&&t in e)try{return void(e[t]=n??"")}catch{}if(typeof n=="function")return;n==null||n===!1&&t[4]!="-"?e.removeAttribute(t):e.setAttribute(t,t=="popover"&&n==1?"":n)}}function pn(e){return function(t){var n=this.__e;if(n){if(n=n[e],t[we]==null)t[we]=He++;else if(t[we]<this.__a[e])return;return n(S.event?S.event(t):t)}}}function We(e,t,n,s,a,o,i,r,l,p){var d,f,h,c,m,g,b,v,$,w,x,_,y,T,M,D,W,V,X=t.type;if(t.constructor!==fe)return null;128&n.__u&&(l=32&n.__u,d=n.__c.__z)&&(t.__u|=l,f=o=[],d.nodeType==8?r=ke(d,o):o.push(d),r=o[0]||r),(d=S.__b)&&d(t);e:if(typeof X=="function"){h=i.length;try{if(v=t.props,$=(d=X.prototype)&&d.render,w=(d=X.contextType)&&s[d.__c],x=d?w?w.props.value:d.__:s,(c=n.__c)?(t.__c=c,2&c.__g&&(c.__g|=1)):($?t.__c=c=new X(v,x):(t.__c=c=new xe(v,x),c.constructor=X,c.render=hn),w&&w.sub(c),c.state||(c.state={}),c.__n=s,c.__g|=8,c.__h=[],c.__k=[]),$&&(c.__s||(c.__s=c.state),X.getDerivedStateFromProps&&(c.__s==c.state&&(c.__s=se({},c.__s)),se(c.__s,X.getDerivedStateFromProps(v,c.__s)))),m=c.props,g=c.state,c.__v=t,n.__c){if(v!==m&&$&&!X.getDerivedStateFromProps&&c.componentWillReceiveProps&&c.componentWillReceiveProps(v,x),t.__v==n.__v&&!(8&c.__g)||!(4&c.__g)&&c.shouldComponentUpdate&&c.shouldComponentUpdate(v,c.__s,x)===!1){t.__v!=n.__v&&(c.props=v,c.state=c.__s,c.__g&=-9),t.__e=n.__e,t.__k=n.__k,t.__k.some(function(F){F&&(F.__=t)}),Me.push.apply(c.__h,c.__k),c.__k=[],c.__h.length&&i.push(c),r=Y(n);break e}c.componentWillUpdate&&c.componentWillUpdate(v,c.__s,x),$&&c.componentDidUpdate&&c.__h.push(function(){c.componentDidUpdate(m,g,b)})}else $&&!X.getDerivedStateFromProps&&c.componentWillMount&&c.componentWillMount(),$&&c.componentDidMount&&c.__h.push(c.componentDidMount);c.context=x,c.props=v,c.__P=e,c.__g&=-5,_=S.__r,y=$?25:0;do c.__g&=-9,_&&_(t),d=c.render(c.props,c.state=c.__s,c.context);while(8&c.__g&&++y<25);$&&(Me.push.apply(c.__h,c.__k),c.__k=[]),c.state=c.__s,c.getChildContext&&(s=se({},s,c.getChildContext())),$&&n.__c&&c.getSnapshotBeforeUpdate&&(b=c.getSnapshotBeforeUpdate(m,g)),T=d&&d.type===Ee&&d.key==null?d.props.children:d,v.__P&&(d=r,a=(e=v.__P).namespaceURI,l=o=null,n.props&&n.props.__P!=e&&(n.__k.some(function(F){F&&Ke(F,F)}),n.__k=null),r=n.__k?Y(n,0):null),r=ht(e,Ue(T)?T:[T],t,n,s,a,o,i,r,l,p),v.__P&&(t.__e=null,r=d),t.__u&=-161,f&&f.some(ne),c.__h.length&&i.push(c),1&c.__g&&(c.__g&=-4)}catch(F){if(i.length=h,t.__v=null,l||o)if(F&&F.then){if(t.__u|=128|l,o){for(~(W=o.indexOf(r||void 0))||(W=o.length);(V=o[W-1])&&V.nodeType==8;)W--;for(;W<o.length;W++)if(V=o[W])if(o[W]=null,M){if(V==D)break}else{if(V.nodeType!=8)break;V.data.startsWith("$s")&&(D=ke(M=V))}}if(!M){for(;r&&r.nodeType==8&&r.nextSibling;)r=r.nextSibling;M=r}(d=ke(M=t.__c.__z||(t.__c.__z=M)))?(t.__e=M,r=d):t.__e=r,r=r&&r.nextSibling}else o&&o.some(ne);else t.__e=n.__e;t.__k||(t.__k=n.__k||[]),F&&F.then||_t(t),S.__e(F,t,n)}}else r=t.__e=fn(n.__e,t,n,s,a,o,i,l,p,e);return(d=S.diffed)&&d(t),r}function ke(e,t){if(e&&e.nodeType==8&&e.data.startsWith("$s"))for(var n=1;e=e.nextSibling;){if(e.nodeType==8){if(e.data.startsWith("$s"))n++;else if(e.data.startsWith("/$s")&&!--n)return e}t&&t.push(e)}}function _t(e){e&&(e.__c&&(e.__c.__g|=4),e.__k&&e.__k.some(_t))}function $t(e,t,n){for(var s=0;s<n.length;)qe(n[s++],n[s++],n[s++]);S.__c&&S.__c(t,e),e.some(function(a){try{e=a.__h,a.__h=[],e.some(function(o){o.call(a)})}catch(o){S.__e(o,a.__v)}})}function fn(e,t,n,s,a,o,i,r,l,p){var d,f,h,c,m,g,b,v,$=n.props||Se,w=t.props,x=t.type;if(x=="svg"?a="http://www.w3.org/2000/svg":x=="math"?a="http://www.w3.org/1998/Math/MathML":a||(a="http://www.w3.org/1999/xhtml"),o){for(d=0;d<o.length;d++)if((m=o[d])&&(x?m.localName==x:m.nodeType==3)){e=m,o[d]=null;break}}if(!e){if(v=p.ownerDocument||document,!x)return v.createTextNode(w);e=v.createElementNS(a,x,w.is?w:p),r&&(S.__m&&S.__m(t,o),r=!1),o=null}if(x){if(p=x=="template"&&e.content||e,o=x=="textarea"&&w.defaultValue!=null?null:o&&Fe.call(p.childNodes),!r&&o)for($={},d=0;d<e.attributes.length;d++)$[(m=e.attributes[d]).name]=m.value;for(d in $)m=$[d],d=="dangerouslySetInnerHTML"?h=m:d=="children"||d in w||d=="value"&&"defaultValue"in w||d=="checked"&&"defaultChecked"in w||ye(e,d,null,m,a);for(d in w)m=w[d],d=="children"?c=m:d=="dangerouslySetInnerHTML"?f=m:d=="value"?g=m:d=="checked"?b=m:r&&typeof m!="function"||$[d]===m||ye(e,d,m,$[d],a);f?(r||h&&(f.__html==h.__html||f.__html==e.innerHTML)||(e.innerHTML=f.__html),t.__k=[]):(h&&(e.textContent=""),(x=="foreignObject"||a=="http://www.w3.org/1998/Math/MathML"&&ln.test(x))&&(a="http://www.w3.org/1999/xhtml"),ht(p,Ue(c)?c:[c],t,n,s,a,o,i,o?o[0]:n.__k&&Y(n,0),r,l),o&&o.some(ne)),r&&x!="textarea"||(d="value",x=="progress"&&g==null?e.removeAttribute(d):g==null||g===e[d]&&(x!="progress"||g)||ye(e,d,g,$[d],a),d="checked",b!=null&&b!=e[d]&&ye(e,d,b,$[d],a))}else $===w||r&&e.data==w||(e.data=w);return e}function qe(e,t,n,s){try{typeof e=="function"?t?t.__x=e(t)||1:s&&(s=s.__c||s.__e)&&(t=s.__x)&&(s.__x=null,typeof t=="function"?t():e(null)):e.current=t}catch(a){S.__e(a,n)}}function Ke(e,t,n){var s,a,o,i;if(S.unmount&&S.unmount(e),!(s=e.ref)||s.current&&s.current!=e.__e||qe(s,null,t,e),s=e.__c){if(s.componentWillUnmount)try{s.componentWillUnmount()}catch(r){S.__e(r,t)}s.__P=s.__n=null}if(s=e.__k)for(i=0;i<s.length;i++)s[i]&&Ke(s[i],t,typeof e.type!="function"||n&&!e.props.__P);!n&&(s=e.__c)&&(s=s.__z)&&(a=ke(s,o=[]))&&(s==e.__e&&o.some(ne),ne(a),ne(s)),n||ne(e.__e),e.__e=e.__c=e.__=null}function hn(e,t,n){return this.constructor(e,n)}function U(e,t){var n,s,a,o;S.__&&S.__(e,t),t.nodeType==9&&(t=t.documentElement),s=(n=e&&32&e.__u)?null:t.__k,t.__k=pe(Ee,{children:[e]}),a=[],o=[],We(t,t.__k,s||Se,Se,t.namespaceURI,s?null:t.firstChild?Fe.call(t.childNodes):null,a,s?s.__e:t.firstChild,n,o),$t(a,t.__k,o),t.__k.props.children=null}S={__e:function(e,t,n,s){for(var a,o,i;t=t.__;)if((a=t.__c)&&!(1&a.__g)){a.__g|=4;try{if((i=(o=a.constructor)&&o.getDerivedStateFromError)&&a.setState(o.getDerivedStateFromError(e)),a.componentDidCatch&&(a.componentDidCatch(e,s||{}),i=1),i&&8&a.__g)return void(a.__g|=2)}catch(r){e=r}}throw Ce=0,e}},lt=0,an=function(e){return e!=null&&e.constructor===fe},xe.prototype.setState=function(e,t){var n=this.__s;n&&n!=this.state||(n=this.__s=se({},this.state)),typeof e=="function"&&(e=e(se({},n),this.props)),e&&(se(n,e),this.__v&&(t&&this.__k.push(t),rt(this)))},xe.prototype.forceUpdate=function(e){this.__v&&(this.__g|=4,e&&this.__h.push(e),rt(this))},xe.prototype.render=Ee,Z=[],Ce=0,ct=function(e,t){return e.__v.__b-t.__v.__b},we=Symbol(),ut=/(PointerCapture)$|Capture$/i,He=0,Be={},rn=0;var me,L,Ve,gt,ze=Object.is,Pe=0,Mt=[],Ge=[],E=S,bt=E.__b,vt=E.__r,yt=E.diffed,wt=E.__c,xt=E.unmount,kt=E.__;function Je(e,t){E.__h&&E.__h(L,e,Pe||t),Pe=0;var n=L.__H||(L.__H={__:[],__h:[]});return e>=n.__.length&&n.__.push({}),n.__[e]}function O(e){return Pe=1,mn(Pt,e)}function mn(e,t,n){var s=Je(me++,2);if(s.t=e,!s.__c&&(s.__=[n?n(t):Pt(void 0,t),function(o){var i=(s.__N||s.__)[0],r=s.t(i,o);ze(i,r)||(s.__N=[r,s.__[1]],s.__c.setState({}))}],s.__c=L,!L.__f)){L.__f=!0;var a=L.shouldComponentUpdate;L.shouldComponentUpdate=function(o,i,r){var l=this.__H;if(!l)return!0;var p=!1,d=this.props!=o;if(l.__.some(function(h){h.__N&&(p=!0,ze(h.__[0],h.__N[0])||(d=!0))}),a){var f=a.call(this,o,i,r);return p?f||d:f}return!p||d}}return s.__}function P(e,t){var n=Je(me++,3);!E.__s&&Et(n.__H,t)&&(n.__P=!0,n.__=e,n.u=t,L.__H.__h.push(n))}function B(e){return Pe=5,Q(function(){return{current:e}},[])}function Q(e,t){var n=Je(me++,7);return Et(n.__H,t)&&(n.__=e(),n.__H=t),n.__}function _n(){var e;do{for(;e=Ge.shift();)try{he(e)}catch(n){E.__e(n,{__:(e=e.__P)&&e.__v})}for(;e=Mt.shift();){var t=e.__H;if(e.__P&&t)try{t.__h.some(he),t.__h.some(Xe),t.__h=[]}catch(n){t.__h=[],E.__e(n,e.__v)}}}while(Ge.length)}E.__b=function(e){L=null,bt&&bt(e)},E.__=function(e,t){e&&t.__k&&t.__k.__m&&(e.__m=t.__k.__m),kt&&kt(e,t)},E.__r=function(e){vt&&vt(e),me=0;var t=(L=e.__c).__H;t&&(Ve==L?L.__h=[]:(t.__h.some(he),t.__h.some(Xe),me=0),t.__h=[],t.__.some(function(n){n.__N&&(n.__=n.__N),n.u=n.__N=void 0})),Ve=L},E.diffed=function(e){yt&&yt(e);var t=e.__c;t&&t.__H&&(t.__H.__h.length&&St(Mt.push(t)),t.__H.__.some(function(n){n.u&&(n.__H=n.u)})),Ve=L=null},E.__c=function(e,t){t.some(function(n){try{n.__h.some(he),n.__h=n.__h.filter(function(s){return!s.__||Xe(s)})}catch(s){n.__h=[function(){throw s}]}}),wt&&wt(e,t)},E.unmount=function(e){xt&&xt(e);var t,n,s=e.__c;s&&s.__H&&(s.__H.__.some(function(a){try{if(a.__P&&a.__c){if(n===void 0){for(n=e.__;n&&(!n.__c||!n.__c.__P);)n=n.__;n=n&&n.__c}a.__P=n,St(Ge.push(a))}else he(a)}catch(o){t=o}}),s.__H=void 0,t&&E.__e(t,s.__v))};var Ct=typeof requestAnimationFrame=="function";function $n(e){var t,n=function(){clearTimeout(s),Ct&&cancelAnimationFrame(t),setTimeout(e)},s=setTimeout(n,35);Ct&&(t=requestAnimationFrame(n))}function St(e){e!=1&&gt==E.requestAnimationFrame||((gt=E.requestAnimationFrame)||$n)(_n)}function he(e){var t=L,n=e.__c;typeof n=="function"&&(e.__c=void 0,n()),L=t}function Xe(e){var t=L;e.__c=e.__(),L=t}function Et(e,t){return!e||e.length!=t.length||t.some(function(n,s){return!ze(n,e[s])})}function Pt(e,t){return typeof t=="function"?t(e):t}var Lt=function(e,t,n,s){var a;t[0]=0;for(var o=1;o<t.length;o++){var i=t[o++],r=t[o]?(t[0]|=i?1:2,n[t[o++]]):t[++o];i===3?s[0]=r:i===4?s[1]=Object.assign(s[1]||{},r):i===5?(s[1]=s[1]||{})[t[++o]]=r:i===6?s[1][t[++o]]+=r+"":i?(a=e.apply(r,Lt(e,r,n,["",null])),s.push(a),r[0]?t[0]|=2:(t[o-2]=0,t[o]=a)):s.push(r)}return s},Nt=new Map;function At(e){var t=Nt.get(this);return t||(t=new Map,Nt.set(this,t)),(t=Lt(this,t.get(e)||(t.set(e,t=(function(n){for(var s,a,o=1,i="",r="",l=[0],p=function(h){o===1&&(h||(i=i.replace(/^\s*\n\s*|\s*\n\s*$/g,"")))?l.push(0,h,i):o===3&&(h||i)?(l.push(3,h,i),o=2):o===2&&i==="..."&&h?l.push(4,h,0):o===2&&i&&!h?l.push(5,0,!0,i):o>=5&&((i||!h&&o===5)&&(l.push(o,0,i,a),o=6),h&&(l.push(o,h,0,a),o=6)),i=""},d=0;d<n.length;d++){d&&(o===1&&p(),p(d));for(var f=0;f<n[d].length;f++)s=n[d][f],o===1?s==="<"?(p(),l=[l],o=3):i+=s:o===4?i==="--"&&s===">"?(o=1,i=""):i=s+i[0]:r?s===r?r="":i+=s:s==='"'||s==="'"?r=s:s===">"?(p(),o=1):o&&(s==="="?(o=5,a=i,i=""):s==="/"&&(o<5||n[d][f+1]===">")?(p(),o===3&&(l=l[0]),o=l,(l=l[0]).push(2,0,o),o=0):s===" "||s==="	"||s===`
`||s==="\r"?(p(),o=2):i+=s),o===3&&i==="!--"&&(o=4,l=l[0])}return p(),l})(e)),t),arguments,[])).length>1?t:t[0]}var u=At.bind(dt);var ee=window.convvizShared??={chunks:new Map,received:new Map};window.convvizChunk=(e,t)=>ee.received.set(e,t);var gn=document.documentElement.dataset.root??"",A=e=>e.startsWith("data:image/")?e:gn+e.split("/").map(encodeURIComponent).join("/");function R(e){if(!ee.chunks.has(e)){let t=new Promise((n,s)=>{let a=document.createElement("script");a.src=A(`data/${e}.js`);let o=()=>{ee.chunks.delete(e),s(new Error(`data/${e}.js cannot be read`))};a.onerror=o,a.onload=()=>{if(a.remove(),!ee.received.has(e))return o();n(ee.received.get(e)),ee.received.delete(e)},document.head.append(a)});ee.chunks.set(e,t)}return ee.chunks.get(e)}var ae=()=>R("site");function q(e,t){let[n,s]=O({});return P(()=>{let a=!0;return e().then(o=>a&&s({value:o}),o=>a&&s({error:o})),()=>a=!1},t),[n.value,n.error]}var ce=()=>Object.fromEntries(new URLSearchParams(location.hash.slice(1)));function Ne(e){let t=new URLSearchParams(location.hash.slice(1));for(let[n,s]of Object.entries(e))s==null||s===""?t.delete(n):t.set(n,s);return`#${t}`}function C(e,{replace:t=!1}={}){let n=Ne(e);n===location.hash||n==="#"&&!location.hash||(history[t?"replaceState":"pushState"](null,"",n),window.dispatchEvent(new Event("convviz:state")))}function _e(e){let t=["convviz:state","hashchange","popstate"];for(let n of t)window.addEventListener(n,e);return()=>t.forEach(n=>window.removeEventListener(n,e))}function H(){let[e,t]=O(ce);return P(()=>_e(()=>t(ce())),[]),e}var bn="input:not([type=checkbox]):not([type=radio]), textarea, select";function z(e){P(()=>{let t=n=>{if(n.ctrlKey||n.metaKey||n.altKey||n.target.matches?.(bn))return;let s=e[n.key];s&&(n.preventDefault(),s(n))};return document.addEventListener("keydown",t),()=>document.removeEventListener("keydown",t)})}async function ue(e){let{block:t}=await ae(),n=Math.floor(e/t),s=await R(`items-${String(n).padStart(3,"0")}`);return Ze(s,e)}function Ze(e,t){let n=t-e.start,s=a=>a?.[n]??null;return{row:t,name:e.names[n],label:s(e.labels),predicted:s(e.predicted),probability:s(e.probability),correct:s(e.correct),size:s(e.sizes),preview:s(e.previews),thumb:e.thumbs&&{...e.thumbs,index:n}}}function $e({tile:e,size:t,label:n="",className:s=""}){if(!e)return u`<span class="tile missing ${s}" style=${{width:oe(t),height:oe(t)}}></span>`;let a=t/e.tile,o=e.index%e.columns*t,i=Math.floor(e.index/e.columns)*t,r={width:oe(t),height:oe(t),backgroundImage:`url("${A(e.atlas)}")`,backgroundPosition:`-${oe(o)} -${oe(i)}`,backgroundSize:`${oe(e.columns*e.tile*a)} auto`};return u`<span class="tile ${s}" style=${r} ...${n?{role:"img","aria-label":n}:{"aria-hidden":"true"}}></span>`}var Le=e=>`${A("image.html")}#id=${e}`,oe=e=>`${Math.round(e*1e3)/1e3}px`;function k(e,t=3){return e==null||Number.isNaN(e)?"–":e!==0&&(Math.abs(e)>=1e6||Math.abs(e)<.001)?e.toExponential(t-1):String(Number(e.toPrecision(t)))}function K(e){if(e==null)return"–";let t=e*100;return t===0||t===100?`${t} %`:`${t<10?Number(t.toPrecision(t<1?1:2)):Math.min(99.9,Number(t.toFixed(1)))} %`}var N=e=>String(e).replace(/\B(?=(\d{3})+(?!\d))/g," ");async function vn(e){try{await navigator.clipboard.writeText(e)}catch{let t=document.createElement("textarea");t.value=e,t.className="offscreen",document.body.append(t),t.select(),document.execCommand("copy"),t.remove()}}function de({text:e,children:t}){let[n,s]=O(!1);return u`<button type="button" class="quiet" onClick=${async()=>{await vn(typeof e=="function"?e():e),s(!0),setTimeout(()=>s(!1),1500)}}>
    ${n?"Copied":t}<span class="offscreen" aria-live="polite">${n?"copied":""}</span>
  </button>`}function Ye(e,t,n){let s=document.createElement("a");s.href=URL.createObjectURL(new Blob([t],{type:n})),s.download=e,s.click(),setTimeout(()=>URL.revokeObjectURL(s.href),1e3)}function Tt(e,t){let n=s=>{if(s==null)return"";if(typeof s=="number")return String(s);let a=/^[=+\-@\t\r]/.test(String(s))?`'${s}`:String(s);return/[",\n\r]/.test(a)?`"${a.replaceAll('"','""')}"`:a};return[e,...t].map(s=>s.map(n).join(",")).join(`\r
`)+`\r
`}var j=({error:e})=>u`<p class="problem" role="alert">${e.message}.</p>`,I=()=>{document.body.dataset.ready="true"};var yn=e=>{let t=e.dataset.value??e.textContent.trim(),n=Number(t);return t!==""&&Number.isFinite(n)?n:t},wn=e=>[...e.cells].filter(t=>!t.classList.contains("number")).map(t=>t.textContent.toLowerCase()).join(" ");function xn(e,t,n){return e===""||t===""?(e==="")-(t===""):typeof e=="number"&&typeof t=="number"?n*(e-t):n*String(e).localeCompare(String(t),void 0,{numeric:!0})}function kn(e){let t=e.dataset.state,n=e.tBodies[0],s=[...n.rows],a=[...e.tHead.rows[0].cells],o=document.createElement("input"),i=document.createElement("span");for(let p of a){let d=document.createElement("button");d.type="button",d.className="sort",d.append(...p.childNodes),p.append(d),d.addEventListener("click",()=>{let f=p.getAttribute("aria-sort")==="descending",h=p.classList.contains("number"),m=!p.hasAttribute("aria-sort")?h?"down":"up":f?"up":"down";C({[`${t}-sort`]:`${p.dataset.key}-${m}`},{replace:!0})})}o.type="search",o.placeholder=e.dataset.filter,o.setAttribute("aria-label",e.dataset.filter),o.addEventListener("input",()=>C({[`${t}-filter`]:o.value},{replace:!0})),i.className="note",i.setAttribute("aria-live","polite");let r=document.createElement("div");r.className="bar-of-controls",r.append(o,i),e.parentElement.before(r);let l=()=>{let p=ce(),[,d,f]=/^(.*)-(up|down)$/.exec(p[`${t}-sort`]??"")??[],h=a.findIndex(b=>b.dataset.key===d);a.forEach((b,v)=>{v===h?b.setAttribute("aria-sort",f==="up"?"ascending":"descending"):b.removeAttribute("aria-sort")});let c=(p[`${t}-filter`]??"").toLowerCase();document.activeElement!==o&&(o.value=p[`${t}-filter`]??"");let g=(h<0?s:s.map(b=>[yn(b.cells[h]),b]).sort((b,v)=>xn(b[0],v[0],f==="up"?1:-1)).map(([,b])=>b)).filter(b=>wn(b).includes(c));n.replaceChildren(...g),i.textContent=c?`${g.length} of ${s.length}`:""};l(),_e(l)}var Ae=()=>document.querySelectorAll("table.sortable").forEach(kn);var re=560,Cn=7,Sn=12,It=(e,t)=>`images.html#${new URLSearchParams({class:e,predicted:t})}`;function Mn(e,t){return(n,s)=>{let a=null,o=Cn;for(let i of e){let r=Math.max(Math.abs((i[1]+.5)*t-n),Math.abs((i[0]+.5)*t-s))-t/2;(r<o||r===o&&i[2]>a[2])&&([a,o]=[i,r])}return a}}function En(e,t,n){let s=window.devicePixelRatio||1;e.width=e.height=re*s;let a=e.getContext("2d"),o=getComputedStyle(e),[i,r,l]=["--right","--wrong","--line"].map(h=>o.getPropertyValue(h)),p=re/t.length,d=n.reduce((h,c)=>Math.max(h,c[2]),1);a.scale(s,s),a.strokeStyle=l,a.beginPath(),a.moveTo(0,0),a.lineTo(re,re),a.stroke();let f=Math.max(p,3);for(let[h,c,m]of n)a.globalAlpha=.35+.65*Math.sqrt(m/d),a.fillStyle=h===c?i:r,a.fillRect((c+.5)*p-f/2,(h+.5)*p-f/2,f,f)}function Pn(e,t){let n=new Array(e.length).fill(0);for(let[s,a,o]of t)s!==a&&(n[s]+=o);return n.indexOf(Math.max(...n))}function Nn({names:e,cells:t,name:n}){let s=e.indexOf(n);if(s<0)return n?u`<p class="note">No class has this name.</p>`:null;let a=(i,r)=>{let l=i.sort((p,d)=>d[2]-p[2]);return u`<div>
      <h4>${r}</h4>
      ${l.length===0&&u`<p class="note">none</p>`}
      <ul>
        ${l.slice(0,Sn).map(([p,d,f])=>u`<li key=${`${p}-${d}`}>
          <a href=${It(e[p],e[d])}>${e[p===s?d:p]}</a> ${f}
        </li>`)}
      </ul>
    </div>`},o=t.filter(i=>i[0]!==i[1]);return u`<div class="class-confusions">
    ${a(o.filter(i=>i[0]===s),"Its images are predicted as")}
    ${a(o.filter(i=>i[1]===s),"Predicted so, but labelled")}
  </div>`}function Ln({name:e}){let[t,n]=q(()=>R(e),[e]),s=B(),[a,o]=O(null),{confusions:i}=H();if(P(()=>{if(!t)return;let m=()=>En(s.current,t.names,t.cells),g=window.matchMedia("(prefers-color-scheme: dark)");return m(),g.addEventListener("change",m),()=>g.removeEventListener("change",m)},[t]),n)return u`<${j} error=${n} />`;if(!t)return u`<p class="note">The matrix is loading …</p>`;let{names:r,cells:l}=t,p=Mn(l,re/r.length),d=i??r[Pn(r,l)],f=m=>{let g=s.current.getBoundingClientRect();return p((m.clientX-g.left)/g.width*re,(m.clientY-g.top)/g.height*re)},h=m=>{let g=f(m);g&&(location.href=It(r[g[0]],r[g[1]]))},c=a?`${r[a[0]]}, predicted as ${r[a[1]]}: ${a[2]} ${a[2]===1?"image":"images"}`:"Point at a cell to read it, click it to see its images.";return u`<h3>All ${r.length} classes</h3>
    <div class="columns">
      <figure class="whole">
        <canvas ref=${s} class=${a?"pointing":""} role="img"
          aria-label="Confusion matrix of all classes; the field beside it lists the confusions of a class"
          onPointerMove=${m=>o(f(m))} onPointerLeave=${()=>o(null)} onClick=${h}></canvas>
        <figcaption>${c}</figcaption>
      </figure>
      <div>
        <label class="field">Confusions of a class
          <input type="search" list="confused-classes" value=${d}
            onInput=${m=>C({confusions:m.target.value},{replace:!0})} />
        </label>
        <datalist id="confused-classes">${r.map(m=>u`<option value=${m} />`)}</datalist>
        <${Nn} names=${r} cells=${l} name=${d} />
      </div>
    </div>`}function Ot(){Ae();let e=document.getElementById("full-matrix");e&&U(u`<${Ln} name=${e.dataset.chunk} />`,e),I()}var ge=254,An=255,Dt="convviz-maps",Tn={opacity:.65,smooth:!0,shared:!1},et=e=>Uint8Array.from(atob(e),t=>t.charCodeAt(0));function In(){try{return JSON.parse(localStorage.getItem(Dt))??{}}catch{return{}}}function On(e){try{localStorage.setItem(Dt,JSON.stringify(e))}catch{}}var jt=(e,t)=>t===An?null:e.low+t/ge*(e.high-e.low);function Rn(e,t,n,[s,a]){let o=new ImageData(e.width,e.height);for(let i=0;i<t.length;i++){let r=jt(e,t[i]);if(r===null)continue;let l=Math.min(1,Math.max(0,(r-s)/(a-s||1))),p=3*Math.round(l*ge);o.data.set([n[p],n[p+1],n[p+2],255],4*i)}return o}function Dn({palette:e,range:t,unit:n,isSigned:s}){let a=B();P(()=>{let l=a.current.getContext("2d"),p=new ImageData(ge+1,1);for(let d=0;d<=ge;d++)p.data.set([...e.subarray(3*d,3*d+3),255],4*d);l.putImageData(p,0,0)},[e]);let[o,i]=t,r=s?`red: ${n||"value"} above zero, blue: below zero`:`bright: high ${n||"value"}`;return u`<div class="colour-bar">
    <canvas ref=${a} width=${ge+1} height="1" aria-hidden="true"></canvas>
    <span class="ends"><span>${k(o)}</span>${s&&u`<span>0</span>`}<span>${k(i)}</span></span>
    <span class="muted small">${r}</span>
  </div>`}var Bt=16,Qe={factor:1,x:.5,y:.5};function Te(e,t,n){let s=Math.min(Bt,Math.max(1,e)),a=.5/s,o=i=>Math.min(1-a,Math.max(a,i));return{factor:s,x:o(t),y:o(n)}}function Rt(e,{factor:t,x:n,y:s}){let a=e.currentTarget.getBoundingClientRect();return[n+((e.clientX-a.left)/a.width-.5)/t,s+((e.clientY-a.top)/a.height-.5)/t]}function jn({panel:e,title:t,palette:n,range:s,choices:a,cross:o,setCross:i,zoom:r,setZoom:l,isBare:p}){let d=B(),f=B(null),h=Q(()=>e.values&&et(e.values),[e]);P(()=>{h&&d.current.getContext("2d").putImageData(Rn(e,h,n,s),0,0)},[h,n,s[0],s[1]]);let c=p?0:e.view&&!e.picture?a.opacity:1,m=_=>{f.current={x:_.clientX,y:_.clientY,zoom:r,isMoved:!1},_.currentTarget.setPointerCapture(_.pointerId)},g=_=>{i(Rt(_,r));let y=f.current;if(!y)return;let T=_.currentTarget.getBoundingClientRect(),[M,D]=[(_.clientX-y.x)/T.width,(_.clientY-y.y)/T.height];y.isMoved||=Math.hypot(_.clientX-y.x,_.clientY-y.y)>4,y.isMoved&&l(Te(r.factor,y.zoom.x-M/r.factor,y.zoom.y-D/r.factor))},b=_=>{let y=f.current&&!f.current.isMoved;if(f.current=null,!y||_.button!==0)return;let[T,M]=Rt(_,r);l(_.shiftKey?Te(r.factor/2,r.x,r.y):Te(r.factor*2,T,M))},v="";if(o&&h){let _=Math.min(e.width-1,Math.max(0,Math.floor(o[0]*e.width))),y=Math.min(e.height-1,Math.max(0,Math.floor(o[1]*e.height))),T=jt(e,h[y*e.width+_]);v=T===null?"no value":k(T)}let $=a.smooth?"":"crisp",w=(_,y)=>`${100*(.5+(_-y)*r.factor)}%`,x={transform:`translate(${100*(.5-r.x*r.factor)}%, ${100*(.5-r.y*r.factor)}%) scale(${r.factor})`};return u`<div class="map-panel ${r.factor>1?"is-zoomed":""}" onPointerDown=${m} onPointerMove=${g} onPointerUp=${b}
      onPointerCancel=${()=>f.current=null} onPointerLeave=${()=>i(null)}>
    <div class="map-layers" style=${x}>
      ${e.view&&u`<img class=${r.factor>2?"crisp":""} src=${A(e.view)} alt="" draggable=${!1} />`}
      ${e.picture?u`<img class=${`over ${$}`} src=${A(e.picture)} style=${{opacity:c}} alt=${t} />`:u`<canvas ref=${d} class=${`over ${$}`} width=${e.width} height=${e.height} style=${{opacity:c}}
            role="img" aria-label=${t}></canvas>`}
    </div>
    ${o&&u`<span class="cross" style=${{left:w(o[0],r.x),top:w(o[1],r.y)}}></span>`}
    <output class="reading">${v}</output>
  </div>`}function Bn({chunk:e,nameOf:t}){if(!e.agreements.length)return null;let n=e.agreements.map(({panels:s,correlation:a,overlap:o})=>{let[i,r]=s.map(d=>e.panels[d]),l=i.row===r.row;return{names:[i,r].map(d=>l?t.column(d.column):t.row(d.row)),of:l?t.row(i.row):t.column(i.column),correlation:a,overlap:o}});return u`<details class="agreements" open>
    <summary>Agreement of the maps</summary>
    <div class="scroll" tabindex="0" role="group" aria-label="Agreement of the maps">
      <table>
        <thead><tr><th scope="col">maps</th><th scope="col">for</th><th scope="col" class="number">rank correlation</th>
          <th scope="col" class="number">overlap of the top 10 %</th></tr></thead>
        <tbody>${n.map(({names:s,of:a,correlation:o,overlap:i},r)=>u`<tr key=${r}>
          <th scope="row">${s[0]} – ${s[1]}</th><td>${a}</td>
          <td class="number">${o===null?"flat map":o.toFixed(2)}</td>
          <td class="number">${K(i)}</td></tr>`)}</tbody>
      </table>
    </div>
    <p class="note">Rank correlation over the pixels: 1 is the same order, 0 none. Chance gives an overlap of 10 %.
      Two signed maps are compared by value, others by magnitude.</p>
  </details>`}function Hn(e,t,n){if(!n)return[t.low,t.high];let s=e.filter(a=>a.column===t.column&&a.values);return[Math.min(...s.map(a=>a.low)),Math.max(...s.map(a=>a.high))]}function Un(e){return e.map(t=>{let n=e.filter(({name:a})=>a===t.name),s=Object.entries(t.parameters).filter(([a,o])=>n.some(i=>i.parameters[a]!==o)).map(([a,o])=>`${a}=${o}`);return[t.name,t.layer,...s].filter(Boolean).join(" ")})}function Fn({chunk:e,choices:t,onChoices:n,only:s,onOnly:a,keyTarget:o=document}){let[i,r]=O(null),[l,p]=O(Qe),[d,f]=O(!1),h=Q(()=>({signed:et(e.palettes.signed),plain:et(e.palettes.plain)}),[e]),c=_=>n({...t,..._});P(()=>{let _=y=>{y.key!==" "||y.target.closest?.("input, button, select, a, textarea")||(y.preventDefault(),f(y.type==="keydown"))};return o.addEventListener("keydown",_),o.addEventListener("keyup",_),()=>{o.removeEventListener("keydown",_),o.removeEventListener("keyup",_)}},[o]);let m=_=>p(Te(l.factor*_,...i??[l.x,l.y]));z(o===document?{"+":()=>m(2),"=":()=>m(2),"-":()=>m(.5),0:()=>p(Qe)}:{});let b=new Set(e.rows.map(_=>_.model)),v={row:_=>[e.rows[_].target,b.size>1&&e.rows[_].model].filter(Boolean).join(" · "),column:_=>w[_]},$=e.columns.map((_,y)=>({..._,place:y})).filter(_=>s===void 0||_.name===s),w=Un(e.columns),x=$.length?$:e.columns.map((_,y)=>({..._,place:y}));return u`<div class="bar-of-controls">
      <label class="field">Opacity
        <input type="range" min="0" max="1" step="0.05" value=${t.opacity}
          onInput=${_=>c({opacity:Number(_.target.value)})} /></label>
      <label class="field"><input type="checkbox" checked=${t.smooth}
        onChange=${_=>c({smooth:_.target.checked})} /> smooth</label>
      ${e.rows.length>1&&u`<label class="field">Scale
        <select value=${t.shared?"shared":"own"} onChange=${_=>c({shared:_.target.value==="shared"})}>
          <option value="own">each map its own</option>
          <option value="shared">one per explainer</option>
        </select></label>`}
      <span class="zoom" role="group" aria-label="Zoom of all maps">
        <button type="button" aria-label="Zoom out (-)" disabled=${l.factor===1} onClick=${()=>m(.5)}>−</button>
        <button type="button" aria-label="Zoom in (+)" disabled=${l.factor===Bt} onClick=${()=>m(2)}>+</button>
        <button type="button" disabled=${l.factor===1} onClick=${()=>p(Qe)}>Whole image</button>
      </span>
      ${e.columns.length>1&&u`<label class="field">Explainer
        <select value=${s??""} onChange=${_=>a(_.target.value||void 0)}>
          <option value="">all</option>
          ${[...new Set(e.columns.map(({name:_})=>_))].map(_=>u`<option value=${_}>${_}</option>`)}
        </select></label>`}
      <span class="muted small">Hold <kbd>Space</kbd> for the photo alone</span>
    </div>
    <div class="scroll" tabindex="0" role="group" aria-label="Maps by explainer and target">
      <table class="maps">
        <thead><tr><th scope="col">target</th>${x.map(_=>u`<th scope="col" key=${_.place}>
          ${w[_.place]}</th>`)}</tr></thead>
        <tbody>${e.rows.map(({target:_,model:y},T)=>u`<tr key=${T}>
          <th scope="row">${_}${b.size>1&&u` <span class="muted">${y}</span>`}</th>
          ${x.map(M=>u`<td key=${M.place}>
            ${e.panels.filter(D=>D.row===T&&D.column===M.place).map(D=>{let W=D.signed?h.signed:h.plain,V=Hn(e.panels,D,t.shared);return u`<div class="map-cell">
                <${jn} panel=${D} palette=${W} range=${V} choices=${t} ...${{cross:i,setCross:r,zoom:l,setZoom:p,isBare:d}}
                  title=${`${M.name} for ${v.row(T)}`} />
                ${D.values?u`<${Dn} palette=${W} range=${V} unit=${M.unit} isSigned=${D.signed} />`:u`<span class="muted small">Mid-grey is zero; colours are the channels of ${M.unit||"the map"}.</span>`}
                ${D.note&&u`<span class="muted small">${D.note}</span>`}
                ${M.notes.length>0&&u`<p class="map-note" title=${M.notes.join(" ")}>${M.notes[0]}</p>`}
              </div>`})}
          </td>`)}
        </tr>`)}</tbody>
      </table>
    </div>
    <p class="note">A click zooms in, a click with Shift out; drag to move. Keys: <kbd>+</kbd> <kbd>-</kbd> <kbd>0</kbd>.</p>
    <${Bn} chunk=${e} nameOf=${v} />
    ${x.map(_=>u`<details key=${_.place} class="small">
      <summary>${w[_.place]}: parameters and notes</summary>
      ${_.notes.map(y=>u`<p class="note">${y}</p>`)}
      <dl class="facts">${Object.entries(_.parameters).map(([y,T])=>u`<div key=${y}>
        <dt>${y}</dt><dd class="plain">${T}</dd></div>`)}</dl>
    </details>`)}`}function Ht({name:e}){let[t,n]=q(async()=>e?R(e):null,[e]),[s,a]=O({...Tn,...In()}),{only:o}=H();if(!e)return null;let i=r=>{a(r),On(r)};return u`<section class="card" aria-labelledby="maps-title">
    <div class="head"><h2 id="maps-title">What the scores depend on</h2></div>
    ${n&&u`<${j} error=${n} />`}
    ${t&&u`<${Fn} key=${e} chunk=${t} choices=${s} onChoices=${i}
      only=${o} onOnly=${r=>C({only:r},{replace:!0})} />`}
  </section>`}function G(e,t){if(t.label===null)return[];let n=e.class_outputs?.[t.label],s=[e.classes[t.label],e.outputs[n]];return[...new Set(s.filter(a=>a!=null))]}var ie=(e,t)=>t===null||t<0?"":e.outputs[t]??String(t);var Wn=64,tt=e=>Math.max(...e.size)<=Wn?"crisp":"";function Ie({item:e,size:t}){return e?e.preview?u`<img class="square ${tt(e)}" src=${A(e.preview)} alt="" loading="lazy" width=${t} height=${t} />`:u`<${$e} tile=${e.thumb} size=${t} />`:u`<${$e} size=${t} />`}function Ut({item:e,box:t,size:n}){if(!e.preview||!t)return null;let[s,a]=e.size,o=[Math.max(0,t[0]),Math.max(0,t[1]),Math.min(a,t[2]),Math.min(s,t[3])],i=n/Math.max(o[2]-o[0],o[3]-o[1]),r={width:`${a*i}px`,height:`${s*i}px`,left:`${n/2-(o[0]+o[2])/2*i}px`,top:`${n/2-(o[1]+o[3])/2*i}px`};return u`<span class="crop" style=${{width:`${n}px`,height:`${n}px`}}>
    <img class=${i>3?"crisp":""} src=${A(e.preview)} alt="" style=${r} /></span>`}var Oe=e=>`images.html#${new URLSearchParams(e)}`;function qn({item:e}){return e.preview?u`<img class="photo-large ${tt(e)}" src=${A(e.preview)} alt=${e.name}
    width=${e.size[1]} height=${e.size[0]} />`:u`<p class="photo-missing">The photo is not part of this report.</p>`}function Kn({item:e}){return e.correct===!0?u`<span class="badge good">✓ predicted right</span>`:e.correct===!1?u`<span class="badge bad">✗ predicted wrong</span>`:null}function Vn({site:e,item:t,predictions:n,index:s}){let a=G(e,t),o=n.names[s],i=n.rank?.[s]??-1,r=o.some(p=>a.includes(p)),l=n.label_probability?.[s];return u`<table class="predictions">
    <caption class="offscreen">Predicted classes</caption>
    <thead class="offscreen"><tr><th scope="col">class</th><th scope="col">probability</th></tr></thead>
    <tbody>
      ${o.map((p,d)=>{let f=n.probabilities[s][d];return u`<tr class=${a.includes(p)?"is-label":""}>
          <th scope="row"><a href=${Oe({predicted:p})}>${p}</a>
            ${a.includes(p)&&u` <span class="badge">label</span>`}</th>
          <td><span class="probability"><span style=${{width:`${100*(f??0)}%`}}></span></span></td>
          <td class="number">${K(f)}</td>
        </tr>`})}
      ${!r&&i>=0&&u`<tr class="is-label">
        <th scope="row"><a href=${Oe({class:a[0]})}>${a.at(-1)}</a> <span class="badge">label</span>
          <span class="muted small"> rank ${i+1}</span></th>
        <td><span class="probability"><span style=${{width:`${100*(l??0)}%`}}></span></span></td>
        <td class="number">${K(l)}</td>
      </tr>`}
    </tbody>
  </table>`}function Ft({site:e,item:t,title:n,rows:s,distances:a,unit:o}){let i=G(e,t),r=s.map((l,p)=>[l,a[p]]).filter(([l])=>l>=0);return u`<div class="near-row">
    <h3>${n}</h3>
    <ol class="thumbs">
      ${r.map(([l,p])=>u`<${zn} key=${l} site=${e} row=${l} distance=${p}
        unit=${o} labels=${i} />`)}
    </ol>
  </div>`}function zn({site:e,row:t,distance:n,unit:s,labels:a}){let[o]=q(()=>ue(t),[t]),i=o?G(e,o):[],r=a.length>0&&i[0]===a[0];return u`<li>
    <a class="image-item small" href=${Le(t)}>
      <${Ie} item=${o} size=${88} />
      <span class="line">${i[0]??o?.name??""}${r&&u` <span class="same" title="same class">✓<span class="offscreen"> same class</span></span>`}</span>
      <span class="line muted" title=${s}>${k(n)}</span>
    </a>
  </li>`}function Gn({site:e,item:t,neighbors:n,index:s}){let a=e.layers.filter(p=>n[p.slug]),o=H();if(a.length===0)return null;let i=a.find(({slug:p})=>p===o.near)??a.at(-1),r=n[i.slug],l=r.items[s].every(p=>p<0);return u`<section class="card" aria-labelledby="near-title">
    <div class="head"><h2 id="near-title">Nearest images</h2>
      ${a.length>1&&u`<label class="field">Features of
        <select value=${i.slug} onChange=${p=>C({near:p.target.value},{replace:!0})}>
          ${a.map(({slug:p,name:d})=>u`<option value=${p}>${d}</option>`)}
        </select></label>`}
    </div>
    ${l?u`<p class="note">The features of this image cannot be compared: they are not finite, or all zero.</p>`:u`<${Ft} site=${e} item=${t} title=${`in the features of ${i.name} (${r.unit})`}
          rows=${r.items[s]} distances=${r.distances[s]} unit=${r.unit} />`}
    ${r.pixel_items&&u`<${Ft} site=${e} item=${t} title="by pixels, for comparison (L2 distance)"
      rows=${r.pixel_items[s]} distances=${r.pixel_distances[s]} unit="L2 distance" />`}
  </section>`}function Xn({site:e,item:t,units:n,index:s}){let a=e.layers.filter(l=>n[l.slug]),o=H();if(a.length===0)return null;let i=a.find(({slug:l})=>l===o.layer)??a.at(-1),r=n[i.slug][s];return u`<section class="card" aria-labelledby="units-title">
    <div class="head"><h2 id="units-title">Units that it activates most</h2>
      ${a.length>1&&u`<label class="field">Layer
        <select value=${i.slug} onChange=${l=>C({layer:l.target.value},{replace:!0})}>
          ${a.map(({slug:l,name:p})=>u`<option value=${l}>${p} (${n[l][s].length})</option>`)}
        </select></label>`}
    </div>
    <p class="note">${r.length===0?`This image is among the top images of no unit of ${i.name}.`:`Units of ${i.name} that have this image among their top images, the highest ranks first.`}</p>
    <ol class="unit-cards">
      ${r.map(([l,p,d,...f])=>u`<li key=${`${l}-${p}`}>
        <a href=${`${A(i.pages.layer)}#unit=${l}`}>
          <${Ut} item=${t} box=${f.length?f:null} size=${76} />
          <strong>unit ${l}</strong>
          <span class="muted small">rank ${p+1} · ${k(d)}</span>
        </a>
      </li>`)}
    </ol>
  </section>`}function Jn({site:e,row:t,block:n}){let s=`images/${String(Math.floor(t/n)).padStart(4,"0")}`,[a,o]=q(async()=>[await ue(t),await R(s),t],[t]),i=c=>{let m=t+c;m>=0&&m<e.count&&C({id:m})};if(z({ArrowLeft:()=>i(-1),ArrowRight:()=>i(1)}),P(()=>{(a||o)&&I(),a&&(document.title=`${a[0].name} – ${e.title}`)},[a,o]),o)return u`<${j} error=${o} />`;if(!a)return u`<p class="muted">Loading …</p>`;let[r,l,p]=a,d=p-l.start,f=G(e,r),h=e.layers.filter(c=>c.pages.map);return u`<div class="head">
      <h1>${r.name}</h1>
      <${Kn} item=${r} />
      <span class="sub">image ${N(p+1)} of ${N(e.count)}</span>
      <span class="steps">
        <button type="button" disabled=${t===0} onClick=${()=>i(-1)}>← previous</button>
        <button type="button" disabled=${t===e.count-1} onClick=${()=>i(1)}>next →</button>
        <${de} text=${()=>location.href}>Copy link<//>
      </span>
    </div>
    <div class="stack">
      <div class="image-head">
        <div class="photo-frame"><${qn} item=${r} /></div>
        <section class="card" aria-labelledby="predictions-title">
          <h2 id="predictions-title">Label and predictions</h2>
          <dl class="facts">
            <div><dt>label</dt><dd>${f.length?u`<a href=${Oe({class:f[0]})}>${f.join(" · ")}</a>`:u`<span class="muted">none</span>`}</dd></div>
            ${r.predicted!==null&&u`<div><dt>predicted</dt><dd>
              <a href=${Oe({predicted:ie(e,r.predicted)})}>${ie(e,r.predicted)}</a>
            </dd></div>`}
            <div><dt>size</dt><dd class="plain">${r.size[1]} × ${r.size[0]}</dd></div>
          </dl>
          ${l.predictions?u`<${Vn} site=${e} item=${r} predictions=${l.predictions} index=${d} />`:u`<p class="note">The run has no predictions.</p>`}
          ${h.length>0&&u`<p class="links">${h.map(c=>u`<a
            href=${`${A(c.pages.map)}#id=${p}`}>Place on the map of ${c.name}</a> `)}</p>`}
        </section>
      </div>
      <${Ht} name=${l.maps?.[d]} />
      <${Gn} site=${e} item=${r} neighbors=${l.neighbors} index=${d} />
      <${Xn} site=${e} item=${r} units=${l.units} index=${d} />
    </div>`}function Zn({site:e,block:t}){let{id:n}=H(),s=Number(n??0),a=Number.isInteger(s)&&s>=0&&s<e.count;return P(()=>{a||I()},[a]),a?u`<${Jn} site=${e} row=${s} block=${t} />`:u`<p class="problem" role="alert">This report has images 0 to ${e.count-1}; the address asks for “${n}”.</p>`}async function Wt(){let e=document.getElementById("image");try{U(u`<${Zn} site=${await ae()} block=${Number(e.dataset.block)} />`,e)}catch(t){U(u`<${j} error=${t} />`,e),I()}}var be=120,Yn=new Intl.Collator(void 0,{numeric:!0}),Qn=[["","all"],["right","right"],["wrong","wrong"],["unknown","no label"]],qt=[["","order of the data set"],["confidence","most confident first"],["doubt","least confident first"],["name","name"],["class","class"]];function es(e){let[t,n]=O([]),[s,a]=O(null),o=Math.ceil(e.count/e.block);return P(()=>{let i=!0,r=[];return(async()=>{for(let p=0;p<o;p++){let d=await R(`items-${String(p).padStart(3,"0")}`);if(!i)return;for(let f=0;f<d.names.length;f++)r.push(Ze(d,d.start+f));(p===0||p===o-1||p%16===0)&&n([...r])}})().catch(p=>i&&a(p)),()=>i=!1},[e]),[t,s]}function ts(e,t){let n=(t.q??"").toLowerCase().split(/\s+/).filter(Boolean);return s=>{let a=G(e,s),o=ie(e,s.predicted);if(t.class&&!a.includes(t.class)||t.predicted&&o!==t.predicted||t.correct==="right"&&s.correct!==!0||t.correct==="wrong"&&s.correct!==!1||t.correct==="unknown"&&s.correct!==null)return!1;let i=`${s.name} ${a.join(" ")} ${o}`.toLowerCase();return n.every(r=>i.includes(r))}}function ns(e,t,n){let s=(a,o=1)=>[...t].sort((i,r)=>{let[l,p]=[a(i),a(r)];return l===p?i.row-r.row:l===null||l===""?1:p===null||p===""?-1:o*(typeof l=="number"?l-p:Yn.compare(l,p))});return n==="confidence"?s(a=>a.probability,-1):n==="doubt"?s(a=>a.probability):n==="name"?s(a=>a.name):n==="class"?s(a=>G(e,a)[0]??""):t}function ss({site:e,item:t,isCurrent:n,onFocus:s}){let a=G(e,t)[0]??"",o=ie(e,t.predicted),i=t.correct===!1?"wrong":t.correct===!0?"right":"",r=i==="wrong"?`✗ ${o}`:o,l=[t.name,a&&`label ${a}`,o&&`predicted ${o} ${K(t.probability)}`,i].filter(Boolean).join(", ");return u`<li>
    <a class="image-item ${i}" href=${`image.html#id=${t.row}`} aria-label=${l} data-row=${t.row}
      tabindex=${n?0:-1} onFocus=${s}>
      <${Ie} item=${t} size=${112} />
      <span class="line name">${t.name}</span>
      ${a&&u`<span class="line">${a}</span>`}
      ${o&&u`<span class="verdict"><span class="line">${r}</span>
        <span class="share">${K(t.probability)}</span></span>`}
    </a>
  </li>`}function Kt({name:e,title:t,options:n,value:s}){return u`<label class="field">${t}
    <select value=${s} onChange=${a=>C({[e]:a.target.value})}>
      ${n.map(([a,o])=>u`<option value=${a}>${o}</option>`)}
    </select>
  </label>`}function Vt({name:e,title:t,names:n,value:s}){let a=o=>C({[e]:o.target.value},{replace:!0});return u`<label class="field">${t}
    <input type="search" list=${`${e}-names`} value=${s} placeholder="any" onInput=${a} />
    <datalist id=${`${e}-names`}>${n.map(o=>u`<option value=${o} />`)}</datalist>
  </label>`}function os(e,t,n,s,a){let o=t.children,i=Math.max(1,[...o].findIndex(d=>d.offsetTop>o[0].offsetTop)),r=i===1&&o[1]?.offsetTop===o[0]?.offsetTop?o.length:i,l={ArrowRight:1,ArrowLeft:-1,ArrowDown:r,ArrowUp:-r}[e.key],p=e.key==="Home"?0:e.key==="End"?s-1:l?n+l:null;p===null||p<0||p>=s||(e.preventDefault(),a(p))}function as({site:e}){let t=H(),[n,s]=es(e),[a,o]=O(be),[i,r]=O(0),l=B(),p=B(),d=Q(()=>ns(e,n.filter(ts(e,t)),t.sort),[e,n,t]),f=n.some($=>$.predicted!==null),h=Q(()=>[...new Set(n.map($=>ie(e,$.predicted)))].filter(Boolean).sort(),[n]),c=Q(()=>[...new Set(n.flatMap($=>G(e,$).slice(0,1)))].sort(),[n]);z({"/":()=>p.current.focus()}),P(()=>{o(be),r(0)},[t]),P(()=>{n.length&&I()},[n]);let m=B();P(()=>{if(!m.current)return;let $=new IntersectionObserver(w=>w.some(x=>x.isIntersecting)&&o(x=>x+be),{rootMargin:"400px"});return $.observe(m.current),()=>$.disconnect()},[a<d.length,a]);let g=$=>{$>=a&&o($+be),r($);let w=()=>l.current.children[$]?.firstElementChild?.focus();$<l.current.children.length?w():requestAnimationFrame(w)};if(s)return u`<${j} error=${s} />`;let b=n.length<e.count,v=["q","class","predicted","correct"].some($=>t[$]);return u`<div class="bar-of-controls" role="search">
      <label class="field wide">Search
        <input ref=${p} type="search" value=${t.q??""} placeholder="file, class or prediction  ( / )"
          onInput=${$=>C({q:$.target.value},{replace:!0})} />
      </label>
      ${c.length>0&&u`<${Vt} name="class" title="Label" names=${c} value=${t.class??""} />`}
      ${f&&u`<${Vt} name="predicted" title="Predicted" names=${h} value=${t.predicted??""} />
        <${Kt} name="correct" title="Prediction is" options=${Qn} value=${t.correct??""} />`}
      <${Kt} name="sort" title="Order" value=${t.sort??""}
        options=${f?qt:qt.filter(([$])=>$!=="confidence"&&$!=="doubt")} />
    </div>
    <p class="note" role="status">
      ${N(d.length)} ${v?`of ${N(n.length)}`:""} images${b?`; ${N(e.count-n.length)} are loading …`:""}
      ${v&&u` <a href="#" onClick=${$=>{$.preventDefault(),C({q:null,class:null,predicted:null,correct:null})}}>show all</a>`}
    </p>
    ${d.length===0&&!b&&u`<p class="empty">No image matches.</p>`}
    <ol class="image-grid" ref=${l} onKeyDown=${$=>os($,l.current,i,d.length,g)}>
      ${d.slice(0,a).map(($,w)=>u`<${ss} key=${$.row} site=${e} item=${$}
        isCurrent=${w===i} onFocus=${()=>r(w)} />`)}
    </ol>
    ${a<d.length&&u`<p ref=${m}><button type="button" onClick=${()=>o(a+be)}>
      Show more of ${N(d.length)}</button></p>`}`}async function zt(){let e=document.getElementById("images");try{let t=await ae();U(u`<${as} site=${t} />`,e),t.count===0&&I()}catch(t){U(u`<${j} error=${t} />`,e),I()}}var te=420,ve=130,J=ve-22,rs=6;function Gt({edges:e,counts:t}){let n=t.reduce((d,f)=>d+f,0),s=Math.log10(Math.max(...t)+1),a=te/t.length,o=Math.ceil(e.length/rs),i=t.map((d,f)=>{let h=d?Math.max(1.5,(J-6)*Math.log10(d+1)/s):0,m=e[f]===0&&e[f+1]===0?"exactly 0":`${k(e[f])} to ${k(e[f+1])}`,g=e[f+1]>0;return u`<rect key=${f} class=${g?"fires":""} x=${f*a+.5} y=${J-h}
      width=${Math.max(.5,a-1)} height=${h}><title>${m}: ${N(d)} (${(100*d/n).toPrecision(2)} %)</title></rect>`}),r=e.map((d,f)=>[d,f]).filter(([,d])=>d%o===0),l=t.reduce((d,f,h)=>d+(e[h+1]>0?f:0),0),p=`${N(n)} values from ${k(e[0])} to ${k(e.at(-1))}, ${(100*l/n).toPrecision(3)} % above 0`;return u`<svg class="histogram" viewBox="0 0 ${te} ${ve}" role="img" aria-label=${p}>
      ${i}
      <line x1="0" x2=${te} y1=${J+.5} y2=${J+.5} />
      ${r.map(([d,f])=>u`<text key=${f} x=${f*a} y=${ve-6} text-anchor=${f===0?"start":f===e.length-1?"end":"middle"}>${k(d,2)}</text>`)}
    </svg>
    <p class="note">${p} (strong colour). Two bins per doubling; heights are logarithmic.</p>`}var Re=5;function Xt({low:e,high:t,counts:n,strata:s}){let a=n.reduce((c,m)=>c+m,0),o=Math.log10(Math.max(...n)+1),i=te/n.length,r=c=>e+(t-e)*c/n.length,l=n.map((c,m)=>{if(!c)return null;let g=Math.max(1.5,(J-18)*Math.log10(c+1)/o);return u`<rect key=${m} class=${r(m+1)>0?"fires":""} x=${m*i+.5} y=${J-g}
      width=${i-1} height=${g}><title>${k(r(m))} to ${k(r(m+1))}: ${N(c)} (${(100*c/a).toPrecision(2)} %)</title></rect>`}),p=e===t?[0]:[...Array(Re+1).keys()],d=c=>t>e?(c-e)/(t-e)*te:i/2,f=s.map(({share:c,examples:m})=>({share:c,at:d(m[Math.floor(m.length/2)].value)})),h=`The highest values of ${N(a)} images, from ${k(e)} to ${k(t)}`;return u`<svg class="histogram" viewBox="0 0 ${te} ${ve}" role="img" aria-label=${h}>
      ${l}
      ${f.map(({share:c,at:m})=>u`<line key=${c} class="mark" x1=${m} x2=${m} y1="4" y2=${J}><title>${nt(c)}</title></line>`)}
      <line x1="0" x2=${te} y1=${J+.5} y2=${J+.5} />
      ${p.map(c=>u`<text key=${c} x=${c*te/Re} y=${ve-6}
        text-anchor=${c===0?"start":c===Re?"end":"middle"}>${k(e+(t-e)*c/Re,2)}</text>`)}
    </svg>`}function nt(e){return e===1?"lowest":e===.5?"median":`top ${Number((100*e).toPrecision(3))} %`}var is=64,le=e=>`${(100*e).toFixed(3)}%`;function Jt([e,t],n){let[s,a,o,i]=n??[0,0,t,e],r=Math.max(o-s,i-a),l=(s+o-r)/2,p=(a+i-r)/2;return{width:t/r,height:e/r,left:-l/r,top:-p/r}}var ls=([e,t],[n,s,a,o])=>({left:n/t,top:s/e,width:(a-n)/t,height:(o-s)/e}),st=e=>Object.fromEntries(Object.entries(e).map(([t,n])=>[t,le(n)]));function cs(e){let t=Math.max(e[2]-e[0],e[3]-e[1]),n=le((1-(e[2]-e[0])/t)/2);return`inset(${le((1-(e[3]-e[1])/t)/2)} ${n})`}function us({patch:e,mode:t,guided:n,alt:s}){let{image:a,box:o}=e;if(t==="guided"&&n){let l={width:le(n.columns),height:le(n.rows),left:le(-n.rank),top:le(-n.row)};return u`<img src=${A(n.atlas)} alt=${s} style=${l} />`}if(!a?.preview&&a?.thumb)return u`<${$e} tile=${a.thumb} size=${is} label=${s} className="centered" />`;if(!a?.preview)return u`<span class="no-photo">${a?"photo not available":"not in this report"}</span>`;let i=Math.max(...a.size)<=64?"crisp":"";if(t==="whole"||!o)return u`<span class="photo" style=${st(Jt(a.size,null))}>
      <img class=${i} src=${A(a.preview)} alt=${s} />
      ${o&&u`<span class="box" style=${st(ls(a.size,o))}></span>`}</span>`;let r=o[2]-o[0]<40?"crisp":i;return u`<span class="window" style=${{clipPath:cs(o)}}>
    <img class=${r} src=${A(a.preview)} alt=${s} style=${st(Jt(a.size,o))} /></span>`}function ot({patch:e,rank:t,mode:n,site:s,guided:a,isMeant:o,isLoading:i}){let{image:r}=e,l=r?.label===null||r?.label===void 0?"":s.classes[r.label],p=r?.name??"",d=l||p,f=r&&s.has.images?Le(r.row):null,h=`top ${t+1}: ${d}, activation ${k(e.value)}`,c=u`<span class="frame">${!i&&u`<${us} ...${{patch:e,mode:n,guided:a,alt:h}} />`}</span>`;return u`<figure class=${o?"":"faded"}>
    ${f?u`<a href=${f} title=${p}>${c}</a>`:u`<span title=${p}>${c}</span>`}
    <figcaption><b>${k(e.value)}</b> <span title=${d}>${d}</span>
      ${r?.correct===!1&&u`<span class="badge bad" title=${`predicted: ${s.outputs[r.predicted]??r.predicted}`}>wrong</span>`}
    </figcaption>
  </figure>`}var Zt={crop:"Patch",whole:"Whole image",guided:"Guided gradient"},ds=(e,t)=>String(Math.floor(e/t)).padStart(3,"0");async function De(e,t,n,s="units"){let o=(await R(`layer/${e}/${s}-${ds(t,n.block)}`))[t%n.block],i=await Promise.all(o.patches.map(async r=>({...r,image:r.row===null?null:await ue(r.row)})));return{...o,patches:i}}function Qt(e,t,n){De(e,t,n).then(({patches:s})=>{for(let{image:a}of s)a?.preview&&(new Image().src=A(a.preview))},()=>{})}function en({unit:e,units:t,data:n,layer:s,site:a,slug:o}){let i=H(),[r,l]=q(()=>De(o,e,n),[o,e]),p=B(null),d=t.indexOf(e),f=g=>{let b=d<0?t[0]:t[(d+g+t.length)%t.length];b!==void 0&&C({unit:b})},h=r?.unit===e,c=Object.keys(Zt).filter(g=>g!=="guided"||h&&r.guided!==null&&s.guided),m=c.includes(i.view)?i.view:"crop";return z({ArrowLeft:()=>f(-1),ArrowRight:()=>f(1),w:()=>C({view:m==="whole"?null:"whole"},{replace:!0}),j:()=>p.current?.focus(),Escape:()=>C({unit:null})}),P(()=>{(h||l)&&I();let g=t[d+1];h&&g!==void 0&&De(o,g,n).catch(()=>{})},[h,l]),l?u`<${j} error=${l} />`:h?u`
    <div class="unit-head">
      <p class="path"><a href="../index.html">${a.model}</a> › ${s.name} › </p>
      <h2 class="unit-name">unit ${e}</h2>
      <${ps} ...${{unit:e,data:n}} />
      <div class="unit-keys">
        <button type="button" onClick=${()=>f(-1)} title="Previous unit (←)" aria-label="Previous unit">←</button>
        <button type="button" onClick=${()=>f(1)} title="Next unit (→)" aria-label="Next unit">→</button>
        <input type="number" id="jump" ref=${p} min="0" max=${n.count-1} placeholder="unit" aria-label="Go to unit (j)"
          onKeyDown=${g=>g.key==="Enter"&&g.target.value!==""&&C({unit:Math.min(n.count-1,Math.max(0,Math.trunc(g.target.valueAsNumber)))})} />
        <${de} text=${()=>location.href}>Copy link<//>
        <button type="button" onClick=${()=>C({unit:null})} title="All units (Esc)" aria-label="Close">✕</button>
      </div>
    </div>
    <${tn} ...${{unit:e,data:n,record:r,layer:s}} />
    <div class=${s.other?"unit-body with-other":"unit-body"}>
      <div class="stack">
        <section class="card" aria-labelledby="patches-title">
          <div class="card-head">
            <h3 id="patches-title">Top patches</h3>
            ${r.patches.length>0&&u`<div class="segments" role="group" aria-label="View">
              ${c.map(g=>u`<button type="button" key=${g} aria-pressed=${String(m===g)}
                onClick=${()=>C({view:g==="crop"?null:g},{replace:!0})}>${Zt[g]}</button>`)}
            </div>`}
          </div>
          <${nn} ...${{record:r,layer:s,mode:m,site:a,state:i,data:n}} />
        </section>
        ${s.has_patches&&u`<${fs} ...${{record:r,mode:m,site:a}} />`}
      </div>
      ${s.other&&u`<${vs} ...${{unit:e,layer:s,site:a,slug:o,mode:m,state:i}} />`}
      <div class="stack">
        ${r.histogram&&u`<section class="card" aria-labelledby="values-title">
          <h3 id="values-title">Values at all positions of all images</h3>
          <${Gt} ...${r.histogram} />
        </section>`}
        <${_s} ...${{record:r,layer:s,site:a,state:i}} />
        ${r.matters&&u`<${$s} ...${r.matters} />`}
      </div>
    </div>
    ${r.similar.length+r.similar_weights.length>0&&u`<${gs} ...${{record:r,data:n,layer:s,slug:o}} />`}
    <${ys} ...${{unit:e,record:r,data:n,layer:s,site:a,slug:o}} />`:u`<div class="unit-head"><h2 class="unit-name">unit ${e}</h2></div>`}function ps({unit:e,data:t}){let n=t.duplicates[e];return u`
    ${t.dead.includes(e)&&u`<span class="badge bad" title="above zero at no position of any image">dead</span>`}
    ${t.silent.includes(e)&&u`<span class="badge" title="fires in less than 1 % of the images">silent</span>`}
    ${n!==void 0&&u`<a class="badge" href=${Ne({unit:n})}
      title="nearly the same top patches">near-duplicate of ${n}</a>`}`}function tn({unit:e,data:t,record:n,layer:s}){let a=i=>t.columns[i]?.[e],o=[["maximum",k(a("max")),`rank ${N(n.rank)} of ${N(t.count)}`],["mean",k(a("mean"))],["fires in",K(a("fires")),"of the images"],["active at",K(a("active")),"of the positions"],["selectivity",k(a("selectivity"),2),"0 to 1"],["prominence",k(a("prominence"),2)]].filter(([,i])=>i!=="–");return u`<dl class="facts unit-facts">
    ${o.map(([i,r,l])=>u`<div key=${i}><dt>${i}</dt>
      <dd>${r} ${l&&u`<small>${l}</small>`}</dd></div>`)}
    ${s.field&&u`<div><dt>receptive field</dt><dd>${s.field.replace(/ pixels of the model's input$/,"")} <small>input pixels</small></dd></div>`}
  </dl>`}function nn({record:e,layer:t,mode:n,site:s,state:a,data:o}){if(!t.has_patches)return u`<p class="note">The run has no patches of this layer.</p>`;if(!e.patches.length)return u`<p class="note">No image activates this unit, so it has no patches.</p>`;let i=e.patches[0].value;return u`<ol class="patches is-${n}">
    ${e.patches.map((r,l)=>u`<li key=${l}>
      <${ot} ...${{patch:r,rank:l,mode:n,site:s,highest:i,guided:t.guided&&e.guided!==null?{...t.guided,row:e.guided,rank:l}:null,isMeant:ms(r,s,a)}} />
    </li>`)}
  </ol>
  ${n==="whole"&&u`<p class="note">The box is the part of the photo that the unit sees and the model was given.</p>`}
  ${n==="guided"&&u`<p class="note">Guided gradients are sharp, but depend little on the weights: they show which pixels the unit can see, not why it fires.</p>`}`}function fs({record:e,mode:t,site:n}){let{peaks:s}=e;return s?u`<section class="card" aria-labelledby="peaks-title">
    <h3 id="peaks-title">Highest value of every image</h3>
    <${Xt} ...${s} />
    <p class="note">Images in bins of equal width; heights are logarithmic, lines mark the examples.</p>
    <div class="strata">
      ${s.strata.map(a=>u`<${hs} key=${a.share} ...${{...a,mode:t,site:n,total:s.counts.reduce((o,i)=>o+i,0)}} />`)}
    </div>
  </section>`:e.patches.length>0&&u`<section class="card"><h3>Highest value of every image</h3>
      <p class="note">This run does not hold the highest values of all images.</p></section>`}function hs({share:e,examples:t,mode:n,site:s,total:a}){let[o]=q(()=>Promise.all(t.map(({row:l})=>l===null?null:ue(l))),[t]),i=t.map(({rank:l})=>l),r=`${N(i[0])}${i.length>1?`–${N(i.at(-1))}`:""}`;return u`<div>
    <h4>${nt(e)} <small>rank ${r} of ${N(a)}</small></h4>
    <ol class="examples">
      ${t.map((l,p)=>u`<li key=${p}><${ot} ...${{patch:{...l,image:o?.[p]??null},rank:l.rank-1,mode:n==="guided"?"crop":n,site:s,guided:null,isMeant:!0,isLoading:!o}} /></li>`)}
    </ol>
  </div>`}function ms(e,t,n){if(!n.class||!e.image||e.image.label===null)return!0;let s=t.classes[e.image.label]??"";return!t.classes.some(o=>o.toLowerCase().includes(n.class.toLowerCase()))||s.toLowerCase().includes(n.class.toLowerCase())}function _s({record:e,layer:t,site:n,state:s}){if(!e.classes.length)return u`<section class="card"><h3>Classes</h3><p class="note">
      ${n.classes.length?"No class makes this unit fire.":"The images have no labels, so there are no classes."}</p></section>`;let a=Math.max(...e.classes.map(o=>o.lift));return u`<section class="card" aria-labelledby="classes-title">
    <h3 id="classes-title">Classes it fires for</h3>
    <ol class="bars">
      ${e.classes.map(o=>{let i=n.classes[o.class]??String(o.class),r=s.class===i;return u`<li key=${o.class}>
          <button type="button" aria-pressed=${String(r)} onClick=${()=>C({class:r?null:i})}>
            <span class="bar-name">${i}</span>
            <span class="bar-line"><svg aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none"><rect width=${100*o.lift/a} height="6" /></svg></span>
            <span class="bar-value">${k(o.lift,2)} ×</span>
            <span class="bar-count">${o.count} of ${o.of}</span>
          </button></li>`})}
    </ol>
    <p class="note">Lift: ${t.meaning}. A click filters patches and units.</p>
  </section>`}function $s({images:e,set_to:t,classes:n}){let s=Math.max(...n.map(({drop:a})=>a));return u`<section class="card" aria-labelledby="matters-title">
    <h3 id="matters-title">Classes it matters for</h3>
    ${n.length===0&&u`<p class="note">No score drops without it.</p>`}
    <ol class="bars">
      ${n.map(({name:a,drop:o})=>u`<li key=${a} class="bar-row">
        <span class="bar-name">${a}</span>
        <span class="bar-line"><svg aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none"><rect width=${100*o/s} height="6" /></svg></span>
        <span class="bar-value">${k(o,2)}</span>
      </li>`)}
    </ol>
    <p class="note">Drop of the score when the unit is set to ${t}, ${e===1?"on one image":`mean over ${N(e)} images`}.</p>
  </section>`}function gs({record:e,data:t,layer:n,slug:s}){let a=e.patches.length;return u`<section class="card" aria-labelledby="similar-title">
    <h3 id="similar-title">Similar units</h3>
    <div class="similar-rows">
      <${Yt} title="by common top images" ...${{layer:n,slug:s}}
        entries=${e.similar.map(({unit:o,shared:i})=>[o,`${i} of ${a}`])} />
      <${Yt} title=${`by incoming weights (cosine, ${n.weights})`} ...${{layer:n,slug:s}}
        entries=${e.similar_weights.map(({unit:o,cosine:i})=>[o,i.toFixed(2)])} />
    </div>
  </section>`}function Yt({title:e,entries:t,layer:n,slug:s}){return t.length?u`<div><h4>${e}</h4><ul class="similar">
    ${t.map(([a,o])=>u`<li key=${a}><a href=${Ne({unit:a})}>
      <${bs} ...${{unit:a,layer:n,slug:s}} /><b>${a}</b> <span>${o}</span></a></li>`)}
  </ul></div>`:null}function bs({unit:e,layer:t,slug:n}){let s=document.querySelector(`#sheet [data-unit="${e}"] .tile`),a=e%512,o=s?.className??(t.sheets.length?`tile ${n}-${Math.floor(e/512)} x${a%32} y${Math.floor(a/32)}`:"tile missing");return u`<span class=${o}></span>`}function vs({unit:e,layer:t,site:n,slug:s,mode:a,state:o}){let{other:i}=t,[r,l]=q(async()=>{if(e>=i.count)return null;let p=await R(`layer/${s}/other`);return{data:p,record:await De(s,e,p,"other")}},[e]);return l?u`<${j} error=${l} />`:r===void 0?null:u`<section class="card" aria-labelledby="other-title">
    <div class="card-head"><h3 id="other-title">The same unit in ${i.run} (${i.model})</h3></div>
    ${r===null?u`<p class="note">This run has no such unit.</p>`:u`
      <${nn} ...${{record:{...r.record,guided:null},layer:{has_patches:!0},mode:a==="guided"?"crop":a,site:n,state:o}} />
      <${tn} ...${{unit:e,data:r.data,record:r.record,layer:{field:""}}} />`}
  </section>`}function ys({unit:e,record:t,data:n,layer:s,site:a,slug:o}){let i=`${s.shell} ${/^[\w.\-/]+$/.test(s.name)?s.name:`'${s.name.replaceAll("'","'\\''")}'`} --unit ${e}`,r=`convviz.open_run(${JSON.stringify(s.run)}).draw("patches", ${JSON.stringify(s.name)}, units=${e})`,l=t.patches.map((c,m)=>[m+1,c.value,c.image?.name,c.image?.label===null?"":a.classes[c.image?.label],...c.position??["",""],...c.box??["","","",""]]),p=["rank","activation","image","class","y","x","x0","y0","x1","y1"],d=`${o}-unit-${e}`,f=Object.fromEntries(Object.entries(n.columns).map(([c,m])=>[c,m[e]])),h=()=>JSON.stringify({layer:s.name,...t,numbers:f,provenance:s.provenance},null,1);return u`<section class="card source" aria-labelledby="source-title">
    <div class="card-head"><h3 id="source-title">Get it</h3>
      <div class="bar-of-controls">
        <button type="button" onClick=${()=>Ye(`${d}.csv`,Tt(p,l),"text/csv")}>CSV</button>
        <button type="button" onClick=${()=>Ye(`${d}.json`,h(),"application/json")}>JSON</button>
      </div></div>
    <div class="lines">
      <code>${i}</code><${de} text=${i}>Copy<//>
      <code>${r}</code><${de} text=${r}>Copy<//>
    </div>
    <dl class="facts small">
      ${Object.entries(s.provenance).map(([c,m])=>u`<div key=${c}><dt>${c}</dt>
        <dd class="plain">${c==="weights"?u`<code>${m.slice(0,16)}</code>`:m}</dd></div>`)}
    </dl>
  </section>`}var ws={all:"all units",alive:"units that fire",dead:"dead units",silent:"silent units",twins:"near-duplicates"};function xs(e,t,n){let s=new Set(e.dead),a=new Set(e.silent),o=new Set(Object.entries(e.duplicates).flat().map(Number)),i={all:()=>!0,alive:h=>!s.has(h),dead:h=>s.has(h),silent:h=>a.has(h),twins:h=>o.has(h)}[n.show]??(()=>!0),r=(n.class??"").trim().toLowerCase(),l=new Set;r&&t.classes.forEach((h,c)=>h.toLowerCase().includes(r)&&l.add(c));let p=h=>!r||String(h)===r||(e.classes[h]??[]).some(c=>l.has(c)),d=[...Array(e.count).keys()].filter(h=>i(h)&&p(h)),f=e.columns[n.sort];return f?d.sort((h,c)=>(f[c]??-1/0)-(f[h]??-1/0)||h-c):d}var at=class{constructor(t,n,s){this.list=t,this.data=n,this.dead=new Set(s),this.tiles=new Map;for(let a of t.children)this.tiles.set(Number(a.firstElementChild.dataset.unit),a);this.key=`undefined ${[...this.tiles.keys()].join()}`}show(t,n){let s=`${n} ${t.join()}`;if(s===this.key)return;this.key=s;let a=this.data.columns[n]??this.data.columns.max;for(let o of t){let i=n&&n!=="unit"?k(a[o]):this.textOf(o);this.tiles.get(o).firstElementChild.lastElementChild.textContent=i}this.list.replaceChildren(...t.map(o=>this.tiles.get(o)))}textOf(t){return this.dead.has(t)?"dead":k(this.data.columns.max[t])}mark(t){this.list.querySelector("[aria-current]")?.removeAttribute("aria-current");let n=this.tiles.get(t)?.firstElementChild;if(!n)return;n.setAttribute("aria-current","true");let[s,a]=[n.getBoundingClientRect(),this.list.getBoundingClientRect()];(s.top<a.top||s.bottom>a.bottom)&&(this.list.scrollTop+=(s.top+s.bottom-a.top-a.bottom)/2)}};function ks({data:e,sorts:t,site:n,units:s,counts:a}){let o=H(),i=B(null);z({"/":()=>i.current?.focus()});let r=Object.entries(ws).filter(([l])=>l==="all"||a[l]);return u`
    <label class="field">Sort by
      <select id="sort" value=${o.sort??"unit"}
        onChange=${l=>C({sort:l.target.value==="unit"?null:l.target.value})}>
        ${Object.entries(t).map(([l,p])=>u`<option key=${l} value=${l}>${p}</option>`)}
      </select>
    </label>
    ${r.length>1&&u`<label class="field">Show
      <select id="show" value=${o.show??"all"}
        onChange=${l=>C({show:l.target.value==="all"?null:l.target.value})}>
        ${r.map(([l,p])=>u`<option key=${l} value=${l}>${p}</option>`)}
      </select>
    </label>`}
    <label class="field grow">Find
      <input id="find" type="search" ref=${i} value=${o.class??""} list="class-names"
        placeholder=${n.classes.length?"class or number":"number"}
        onInput=${l=>C({class:l.target.value},{replace:!0})} />
    </label>
    <datalist id="class-names">
      ${a.classes.map(l=>u`<option key=${l} value=${n.classes[l]}></option>`)}
    </datalist>
    <span class="muted small" role="status">${s.length===e.count?"":`${s.length} of ${e.count} units`}</span>`}async function sn(){let e=document.getElementById("layer"),t=document.getElementById("controls"),n=document.getElementById("unit"),{slug:s}=e.dataset,a,o,i;try{[a,o,i]=await Promise.all([ae(),R(`layer/${s}/units`),R(`layer/${s}/layer`)])}catch(f){return U(u`<${j} error=${f} />`,t),I()}let r=new at(document.getElementById("sheet"),o,o.dead),l={alive:o.dead.length?o.count-o.dead.length:0,dead:o.dead.length,silent:o.silent.length,twins:Object.keys(o.duplicates).length,classes:[...new Set(o.classes.flat())].sort((f,h)=>a.classes[f]<a.classes[h]?-1:1)},p=JSON.parse(t.dataset.sorts),d=()=>{let f=ce(),h=xs(o,a,f),c=/^\d+$/.test(f.unit??"")&&Number(f.unit)<o.count?Number(f.unit):null;r.show(h,f.sort),e.classList.toggle("split",c!==null),n.hidden=c===null,r.mark(c),U(u`<${ks} ...${{data:o,sorts:p,site:a,units:h,counts:l}} />`,t),U(c===null?null:u`<${en} ...${{unit:c,units:h,data:o,layer:i,site:a,slug:s}} />`,n),c===null&&I()};r.list.addEventListener("click",f=>{let h=f.target.closest("a[data-unit]");!h||f.ctrlKey||f.metaKey||f.shiftKey||(f.preventDefault(),C({unit:h.dataset.unit}),matchMedia("(max-width: 66rem)").matches&&scrollTo(0,0))}),r.list.addEventListener("pointerover",f=>{let h=f.target.closest("a[data-unit]");h&&Qt(s,Number(h.dataset.unit),o)}),_e(d),d()}var Cs=()=>{Ae(),I()},Ss={benchmark:Cs,dataset:Ot,image:Wt,images:zt,layer:sn},on=Ss[document.body.dataset.page];on?on():I();})();
