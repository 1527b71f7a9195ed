(()=>{var S,lt,an,X,je,Ce,ct,we,ut,He,Be,rn,pe=Symbol.for("pv"),Se={},Me=[],ln=/^m(i|n|o|s|text|space)$/,Ue=Array.isArray,Fe=Me.slice,ne=Object.assign;function te(e){e&&e.parentNode&&e.remove()}function dt(e,t,n){var s,a,o,i={},r=arguments.length;for(o in t)o=="key"?s=t[o]:o=="ref"&&typeof e!="function"?a=t[o]:i[o]=t[o];return r>2&&(i.children=r>3?Fe.call(arguments,2):n),de(e,i,s,a,null)}function de(e,t,n,s,a){var o={type:e,props:t,key:n,ref:s,__k:null,__:null,__b:0,__e:null,__c:null,constructor:pe,__v:a||++lt,__i:-1,__u:0};return!a&&S.vnode&&S.vnode(o),o}function Pe(e){return e.children}function xe(e,t){this.props=e,this.context=t,this.__g=0}function J(e,t){if(t==null)return e.__&&J(e.__,e.__i+1);for(var n;t<e.__k.length;t++)if((n=e.__k[t])&&n.__e)return n.__e;return typeof e.type!="function"||e.props.__P?null:J(e)}function cn(e){var t,n=e.__v,s=n.__e,a=[],o=[],i=e.__P;i&&((t=ne({constructor:pe},n)).__v=n.__v+1,S.vnode&&S.vnode(t),We(i,t,n,e.__n,i.namespaceURI,32&n.__u?[s]:null,a,s||J(n),32&n.__u,o),t.__v=n.__v,t.__.__k[t.__i]=t,$t(a,t,o),n.__=n.__e=null,t.__e!=s&&pt(t))}function pt(e){if((e=e.__)&&e.__c&&!e.props.__P)return e.__e=null,e.__k.some(function(t){return t&&(e.__e=t.__e)}),pt(e)}function rt(e){(8&e.__g||(e.__g|=8,X.push(e),Ce++))&&je==S.debounceRendering||((je=S.debounceRendering)||queueMicrotask)(ft)}function ft(){try{for(var e,t=1;X.length;)X.length>t&&X.sort(ct),e=X.shift(),t=X.length,8&e.__g&&cn(e)}finally{(Ce=X.length)&&(je||queueMicrotask)(ft)}}function ht(e,t,n,s,a,o,i,r,c,p,d){var f,h,l,_,$,g,v=s.__k||Me,m=t.length;for(c=un(n,t,v,c,m),f=0;f<m;f++)(l=n.__k[f])!=null&&(h=~l.__i&&v[l.__i]||Se,l.__i=f,g=We(e,l,h,a,o,i,r,c,p,d),_=l.__e,(h.ref!=l.ref||8&h.__u)&&(h.ref&&qe(h.ref,null,l,h),l.ref&&d.push(l.ref,l.__c||_,l)),$=$||_,4&l.__u?(c=mt(l,c,e,!h.__v),h.__e&&(h.__e=null)):typeof l.type=="function"&&g!==void 0?c=g:_&&(c=_.nextSibling),l.__u&=-21);return n.__e=$,c}function un(e,t,n,s,a){var o,i,r,c,p,d,f,h,l,_=n.length,$=_,g=0,v=0,m=e.__k=Array(a);for(o=0;o<a;o++)(i=t[o])!=null&&typeof i!="boolean"&&typeof i!="function"?(typeof i!="object"||i.constructor===String?i=m[o]=de(null,i):Ue(i)?i=m[o]=de(Pe,{children:i}):i.constructor===pe&&i.__b?i=m[o]=de(i.type,i.props,i.key,i.ref,i.__v):m[o]=i,c=o+g,i.__=e,i.__b=e.__b+1,r=null,~(p=i.__i=dn(i,n,c,$))&&($--,(r=n[p])&&(r.__u|=2)),r&&r.__v?(i.__u|=16,p==c-1?g--:p==c+1?g++:p!=c&&(p>c?g--:g++,v=1)):(~p||(a>_?g--:a<_&&g++),typeof i.type!="function"&&(i.__u|=4))):m[o]=null;if(v){for(d=[],f=[],o=0;o<a;o++)if((i=m[o])&&16&i.__u){for(g=0,h=d.length;g<h;)d[l=g+h>>1]<i.__i?g=l+1:h=l;d[g]=i.__i,f[o]=g+1}for(g=d.length;o--;)f[o]&&(f[o]==g?g--:m[o].__u|=4)}if($)for(o=0;o<_;o++)!(r=n[o])||2&r.__u||(r.__e==s&&(s=J(r)),Ke(r,r));return s}function mt(e,t,n,s){var a,o,i,r;if(typeof e.type=="function"){if(e.props.__P)return t;if(a=e.__k)for(o=0;o<a.length;o++)a[o]&&(a[o].__=e,t=mt(a[o],t,n,!1));return t}for(t&&!t.parentNode&&(t=J(e))&&!t.parentNode&&(t=null),i=e.__e,r=t;r&&r.nodeType==8;)r=r.nextSibling;for(i!=r&&(!s&&n.moveBefore&&i.parentNode?n.moveBefore(i,t):n.insertBefore(i,t||null)),t=i;(t=t&&t.nextSibling)&&t.nodeType==8&&!t.data.startsWith("$s"););return t}function dn(e,t,n,s){var a,o=e.key,i=e.type,r=t[n],c=r&&!(2&r.__u);if(r===null&&o==null||c&&o==r.key&&i==r.type)return n;if(s>(c?1:0)){for(a=n-1;a>=0;a--)if((r=t[a])&&!(2&r.__u)&&o==r.key&&i==r.type)return a;for(a=n+1;a<t.length;a++)if((r=t[a])&&!(2&r.__u)&&o==r.key&&i==r.type)return a}return-1}function it(e,t,n){n==null&&(n=""),t[0]=="-"?e.setProperty(t,n):e[t]=n}function ye(e,t,n,s,a){var o,i;if(t=="style")if(typeof n=="string")e.style.cssText=n;else{if(typeof s=="string"&&(e.style.cssText=s=""),s)for(t in s)n&&t in n||it(e.style,t);if(n)for(t in n)s&&n[t]==s[t]||it(e.style,t,n[t])}else if(t[0]=="o"&&t[1]=="n")typeof n!="function"&&(n=null),typeof s!="function"&&(s=null),(e.__e||(e.__e={}))[t]=n,n&&s||(i=Be[t]||(Be[t]=pn(t)),(e.__a||(e.__a={}))[t]=He,o=t!=(t=t.replace(ut,"$1")),(t=t.slice(2))[0]<"a"&&(t=t.toLowerCase()),n?e.addEventListener(t,i,o):e.removeEventListener(t,i,o));else{if(a=="http://www.w3.org/2000/svg")t=t.replace(/xlink(H|:h)/,"h").replace(/sName$/,"s");else if(t!="width"&&t!="height"&&t!="href"&&t!="list"&&t!="form"&&t!="tabIndex"&&t!="download"&&t!="rowSpan"&&t!="colSpan"&&t!="role"&&t!="popover"&&t in e)try{return void(e[t]=n??"")}catch{}if(typeof n=="function")return;n==null||n===!1&&t[4]!="-"?e.removeAttribute(t):e.setAttribute(t,t=="popover"&&n==1?"":n)}}function pn(e){return function(t){var n=this.__e;if(n){if(n=n[e],t[we]==null)t[we]=He++;else if(t[we]<this.__a[e])return;return n(S.event?S.event(t):t)}}}function We(e,t,n,s,a,o,i,r,c,p){var d,f,h,l,_,$,g,v,m,b,y,w,k,O,D,ve,G,ee,V=t.type;if(t.constructor!==pe)return null;128&n.__u&&(c=32&n.__u,d=n.__c.__z)&&(t.__u|=c,f=o=[],d.nodeType==8?r=ke(d,o):o.push(d),r=o[0]||r),(d=S.__b)&&d(t);e:if(typeof V=="function"){h=i.length;try{if(v=t.props,m=(d=V.prototype)&&d.render,b=(d=V.contextType)&&s[d.__c],y=d?b?b.props.value:d.__:s,(l=n.__c)?(t.__c=l,2&l.__g&&(l.__g|=1)):(m?t.__c=l=new V(v,y):(t.__c=l=new xe(v,y),l.constructor=V,l.render=hn),b&&b.sub(l),l.state||(l.state={}),l.__n=s,l.__g|=8,l.__h=[],l.__k=[]),m&&(l.__s||(l.__s=l.state),V.getDerivedStateFromProps&&(l.__s==l.state&&(l.__s=ne({},l.__s)),ne(l.__s,V.getDerivedStateFromProps(v,l.__s)))),_=l.props,$=l.state,l.__v=t,n.__c){if(v!==_&&m&&!V.getDerivedStateFromProps&&l.componentWillReceiveProps&&l.componentWillReceiveProps(v,y),t.__v==n.__v&&!(8&l.__g)||!(4&l.__g)&&l.shouldComponentUpdate&&l.shouldComponentUpdate(v,l.__s,y)===!1){t.__v!=n.__v&&(l.props=v,l.state=l.__s,l.__g&=-9),t.__e=n.__e,t.__k=n.__k,t.__k.some(function(U){U&&(U.__=t)}),Me.push.apply(l.__h,l.__k),l.__k=[],l.__h.length&&i.push(l),r=J(n);break e}l.componentWillUpdate&&l.componentWillUpdate(v,l.__s,y),m&&l.componentDidUpdate&&l.__h.push(function(){l.componentDidUpdate(_,$,g)})}else m&&!V.getDerivedStateFromProps&&l.componentWillMount&&l.componentWillMount(),m&&l.componentDidMount&&l.__h.push(l.componentDidMount);l.context=y,l.props=v,l.__P=e,l.__g&=-5,w=S.__r,k=m?25:0;do l.__g&=-9,w&&w(t),d=l.render(l.props,l.state=l.__s,l.context);while(8&l.__g&&++k<25);m&&(Me.push.apply(l.__h,l.__k),l.__k=[]),l.state=l.__s,l.getChildContext&&(s=ne({},s,l.getChildContext())),m&&n.__c&&l.getSnapshotBeforeUpdate&&(g=l.getSnapshotBeforeUpdate(_,$)),O=d&&d.type===Pe&&d.key==null?d.props.children:d,v.__P&&(d=r,a=(e=v.__P).namespaceURI,c=o=null,n.props&&n.props.__P!=e&&(n.__k.some(function(U){U&&Ke(U,U)}),n.__k=null),r=n.__k?J(n,0):null),r=ht(e,Ue(O)?O:[O],t,n,s,a,o,i,r,c,p),v.__P&&(t.__e=null,r=d),t.__u&=-161,f&&f.some(te),l.__h.length&&i.push(l),1&l.__g&&(l.__g&=-4)}catch(U){if(i.length=h,t.__v=null,c||o)if(U&&U.then){if(t.__u|=128|c,o){for(~(G=o.indexOf(r||void 0))||(G=o.length);(ee=o[G-1])&&ee.nodeType==8;)G--;for(;G<o.length;G++)if(ee=o[G])if(o[G]=null,D){if(ee==ve)break}else{if(ee.nodeType!=8)break;ee.data.startsWith("$s")&&(ve=ke(D=ee))}}if(!D){for(;r&&r.nodeType==8&&r.nextSibling;)r=r.nextSibling;D=r}(d=ke(D=t.__c.__z||(t.__c.__z=D)))?(t.__e=D,r=d):t.__e=r,r=r&&r.nextSibling}else o&&o.some(te);else t.__e=n.__e;t.__k||(t.__k=n.__k||[]),U&&U.then||_t(t),S.__e(U,t,n)}}else r=t.__e=fn(n.__e,t,n,s,a,o,i,c,p,e);return(d=S.diffed)&&d(t),r}function ke(e,t){if(e&&e.nodeType==8&&e.data.startsWith("$s"))for(var n=1;e=e.nextSibling;){if(e.nodeType==8){if(e.data.startsWith("$s"))n++;else if(e.data.startsWith("/$s")&&!--n)return e}t&&t.push(e)}}function _t(e){e&&(e.__c&&(e.__c.__g|=4),e.__k&&e.__k.some(_t))}function $t(e,t,n){for(var s=0;s<n.length;)qe(n[s++],n[s++],n[s++]);S.__c&&S.__c(t,e),e.some(function(a){try{e=a.__h,a.__h=[],e.some(function(o){o.call(a)})}catch(o){S.__e(o,a.__v)}})}function fn(e,t,n,s,a,o,i,r,c,p){var d,f,h,l,_,$,g,v,m=n.props||Se,b=t.props,y=t.type;if(y=="svg"?a="http://www.w3.org/2000/svg":y=="math"?a="http://www.w3.org/1998/Math/MathML":a||(a="http://www.w3.org/1999/xhtml"),o){for(d=0;d<o.length;d++)if((_=o[d])&&(y?_.localName==y:_.nodeType==3)){e=_,o[d]=null;break}}if(!e){if(v=p.ownerDocument||document,!y)return v.createTextNode(b);e=v.createElementNS(a,y,b.is?b:p),r&&(S.__m&&S.__m(t,o),r=!1),o=null}if(y){if(p=y=="template"&&e.content||e,o=y=="textarea"&&b.defaultValue!=null?null:o&&Fe.call(p.childNodes),!r&&o)for(m={},d=0;d<e.attributes.length;d++)m[(_=e.attributes[d]).name]=_.value;for(d in m)_=m[d],d=="dangerouslySetInnerHTML"?h=_:d=="children"||d in b||d=="value"&&"defaultValue"in b||d=="checked"&&"defaultChecked"in b||ye(e,d,null,_,a);for(d in b)_=b[d],d=="children"?l=_:d=="dangerouslySetInnerHTML"?f=_:d=="value"?$=_:d=="checked"?g=_:r&&typeof _!="function"||m[d]===_||ye(e,d,_,m[d],a);f?(r||h&&(f.__html==h.__html||f.__html==e.innerHTML)||(e.innerHTML=f.__html),t.__k=[]):(h&&(e.textContent=""),(y=="foreignObject"||a=="http://www.w3.org/1998/Math/MathML"&&ln.test(y))&&(a="http://www.w3.org/1999/xhtml"),ht(p,Ue(l)?l:[l],t,n,s,a,o,i,o?o[0]:n.__k&&J(n,0),r,c),o&&o.some(te)),r&&y!="textarea"||(d="value",y=="progress"&&$==null?e.removeAttribute(d):$==null||$===e[d]&&(y!="progress"||$)||ye(e,d,$,m[d],a),d="checked",g!=null&&g!=e[d]&&ye(e,d,g,m[d],a))}else m===b||r&&e.data==b||(e.data=b);return e}function qe(e,t,n,s){try{typeof e=="function"?t?t.__x=e(t)||1:s&&(s=s.__c||s.__e)&&(t=s.__x)&&(s.__x=null,typeof t=="function"?t():e(null)):e.current=t}catch(a){S.__e(a,n)}}function Ke(e,t,n){var s,a,o,i;if(S.unmount&&S.unmount(e),!(s=e.ref)||s.current&&s.current!=e.__e||qe(s,null,t,e),s=e.__c){if(s.componentWillUnmount)try{s.componentWillUnmount()}catch(r){S.__e(r,t)}s.__P=s.__n=null}if(s=e.__k)for(i=0;i<s.length;i++)s[i]&&Ke(s[i],t,typeof e.type!="function"||n&&!e.props.__P);!n&&(s=e.__c)&&(s=s.__z)&&(a=ke(s,o=[]))&&(s==e.__e&&o.some(te),te(a),te(s)),n||te(e.__e),e.__e=e.__c=e.__=null}function hn(e,t,n){return this.constructor(e,n)}function H(e,t){var n,s,a,o;S.__&&S.__(e,t),t.nodeType==9&&(t=t.documentElement),s=(n=e&&32&e.__u)?null:t.__k,t.__k=de(Pe,{children:[e]}),a=[],o=[],We(t,t.__k,s||Se,Se,t.namespaceURI,s?null:t.firstChild?Fe.call(t.childNodes):null,a,s?s.__e:t.firstChild,n,o),$t(a,t.__k,o),t.__k.props.children=null}S={__e:function(e,t,n,s){for(var a,o,i;t=t.__;)if((a=t.__c)&&!(1&a.__g)){a.__g|=4;try{if((i=(o=a.constructor)&&o.getDerivedStateFromError)&&a.setState(o.getDerivedStateFromError(e)),a.componentDidCatch&&(a.componentDidCatch(e,s||{}),i=1),i&&8&a.__g)return void(a.__g|=2)}catch(r){e=r}}throw Ce=0,e}},lt=0,an=function(e){return e!=null&&e.constructor===pe},xe.prototype.setState=function(e,t){var n=this.__s;n&&n!=this.state||(n=this.__s=ne({},this.state)),typeof e=="function"&&(e=e(ne({},n),this.props)),e&&(ne(n,e),this.__v&&(t&&this.__k.push(t),rt(this)))},xe.prototype.forceUpdate=function(e){this.__v&&(this.__g|=4,e&&this.__h.push(e),rt(this))},xe.prototype.render=Pe,X=[],Ce=0,ct=function(e,t){return e.__v.__b-t.__v.__b},we=Symbol(),ut=/(PointerCapture)$|Capture$/i,He=0,Be={},rn=0;var he,N,Ve,gt,ze=Object.is,Ee=0,Mt=[],Ge=[],M=S,bt=M.__b,vt=M.__r,yt=M.diffed,wt=M.__c,xt=M.unmount,kt=M.__;function Je(e,t){M.__h&&M.__h(N,e,Ee||t),Ee=0;var n=N.__H||(N.__H={__:[],__h:[]});return e>=n.__.length&&n.__.push({}),n.__[e]}function A(e){return Ee=1,mn(Et,e)}function mn(e,t,n){var s=Je(he++,2);if(s.t=e,!s.__c&&(s.__=[n?n(t):Et(void 0,t),function(o){var i=(s.__N||s.__)[0],r=s.t(i,o);ze(i,r)||(s.__N=[r,s.__[1]],s.__c.setState({}))}],s.__c=N,!N.__f)){N.__f=!0;var a=N.shouldComponentUpdate;N.shouldComponentUpdate=function(o,i,r){var c=this.__H;if(!c)return!0;var p=!1,d=this.props!=o;if(c.__.some(function(h){h.__N&&(p=!0,ze(h.__[0],h.__N[0])||(d=!0))}),a){var f=a.call(this,o,i,r);return p?f||d:f}return!p||d}}return s.__}function P(e,t){var n=Je(he++,3);!M.__s&&Pt(n.__H,t)&&(n.__P=!0,n.__=e,n.u=t,N.__H.__h.push(n))}function j(e){return Ee=5,Z(function(){return{current:e}},[])}function Z(e,t){var n=Je(he++,7);return Pt(n.__H,t)&&(n.__=e(),n.__H=t),n.__}function _n(){var e;do{for(;e=Ge.shift();)try{fe(e)}catch(n){M.__e(n,{__:(e=e.__P)&&e.__v})}for(;e=Mt.shift();){var t=e.__H;if(e.__P&&t)try{t.__h.some(fe),t.__h.some(Xe),t.__h=[]}catch(n){t.__h=[],M.__e(n,e.__v)}}}while(Ge.length)}M.__b=function(e){N=null,bt&&bt(e)},M.__=function(e,t){e&&t.__k&&t.__k.__m&&(e.__m=t.__k.__m),kt&&kt(e,t)},M.__r=function(e){vt&&vt(e),he=0;var t=(N=e.__c).__H;t&&(Ve==N?N.__h=[]:(t.__h.some(fe),t.__h.some(Xe),he=0),t.__h=[],t.__.some(function(n){n.__N&&(n.__=n.__N),n.u=n.__N=void 0})),Ve=N},M.diffed=function(e){yt&&yt(e);var t=e.__c;t&&t.__H&&(t.__H.__h.length&&St(Mt.push(t)),t.__H.__.some(function(n){n.u&&(n.__H=n.u)})),Ve=N=null},M.__c=function(e,t){t.some(function(n){try{n.__h.some(fe),n.__h=n.__h.filter(function(s){return!s.__||Xe(s)})}catch(s){n.__h=[function(){throw s}]}}),wt&&wt(e,t)},M.unmount=function(e){xt&&xt(e);var t,n,s=e.__c;s&&s.__H&&(s.__H.__.some(function(a){try{if(a.__P&&a.__c){if(n===void 0){for(n=e.__;n&&(!n.__c||!n.__c.__P);)n=n.__;n=n&&n.__c}a.__P=n,St(Ge.push(a))}else fe(a)}catch(o){t=o}}),s.__H=void 0,t&&M.__e(t,s.__v))};var Ct=typeof requestAnimationFrame=="function";function $n(e){var t,n=function(){clearTimeout(s),Ct&&cancelAnimationFrame(t),setTimeout(e)},s=setTimeout(n,35);Ct&&(t=requestAnimationFrame(n))}function St(e){e!=1&&gt==M.requestAnimationFrame||((gt=M.requestAnimationFrame)||$n)(_n)}function fe(e){var t=N,n=e.__c;typeof n=="function"&&(e.__c=void 0,n()),N=t}function Xe(e){var t=N;e.__c=e.__(),N=t}function Pt(e,t){return!e||e.length!=t.length||t.some(function(n,s){return!ze(n,e[s])})}function Et(e,t){return typeof t=="function"?t(e):t}var Lt=function(e,t,n,s){var a;t[0]=0;for(var o=1;o<t.length;o++){var i=t[o++],r=t[o]?(t[0]|=i?1:2,n[t[o++]]):t[++o];i===3?s[0]=r:i===4?s[1]=Object.assign(s[1]||{},r):i===5?(s[1]=s[1]||{})[t[++o]]=r:i===6?s[1][t[++o]]+=r+"":i?(a=e.apply(r,Lt(e,r,n,["",null])),s.push(a),r[0]?t[0]|=2:(t[o-2]=0,t[o]=a)):s.push(r)}return s},Nt=new Map;function Tt(e){var t=Nt.get(this);return t||(t=new Map,Nt.set(this,t)),(t=Lt(this,t.get(e)||(t.set(e,t=(function(n){for(var s,a,o=1,i="",r="",c=[0],p=function(h){o===1&&(h||(i=i.replace(/^\s*\n\s*|\s*\n\s*$/g,"")))?c.push(0,h,i):o===3&&(h||i)?(c.push(3,h,i),o=2):o===2&&i==="..."&&h?c.push(4,h,0):o===2&&i&&!h?c.push(5,0,!0,i):o>=5&&((i||!h&&o===5)&&(c.push(o,0,i,a),o=6),h&&(c.push(o,h,0,a),o=6)),i=""},d=0;d<n.length;d++){d&&(o===1&&p(),p(d));for(var f=0;f<n[d].length;f++)s=n[d][f],o===1?s==="<"?(p(),c=[c],o=3):i+=s:o===4?i==="--"&&s===">"?(o=1,i=""):i=s+i[0]:r?s===r?r="":i+=s:s==='"'||s==="'"?r=s:s===">"?(p(),o=1):o&&(s==="="?(o=5,a=i,i=""):s==="/"&&(o<5||n[d][f+1]===">")?(p(),o===3&&(c=c[0]),o=c,(c=c[0]).push(2,0,o),o=0):s===" "||s==="	"||s===`
`||s==="\r"?(p(),o=2):i+=s),o===3&&i==="!--"&&(o=4,c=c[0])}return p(),c})(e)),t),arguments,[])).length>1?t:t[0]}var u=Tt.bind(dt);var Y=window.convvizShared??={chunks:new Map,received:new Map};window.convvizChunk=(e,t)=>Y.received.set(e,t);var gn=document.documentElement.dataset.root??"",L=e=>gn+e.split("/").map(encodeURIComponent).join("/");function I(e){if(!Y.chunks.has(e)){let t=new Promise((n,s)=>{let a=document.createElement("script");a.src=L(`data/${e}.js`);let o=()=>{Y.chunks.delete(e),s(new Error(`data/${e}.js cannot be read`))};a.onerror=o,a.onload=()=>{if(a.remove(),!Y.received.has(e))return o();n(Y.received.get(e)),Y.received.delete(e)},document.head.append(a)});Y.chunks.set(e,t)}return Y.chunks.get(e)}var oe=()=>I("site");function F(e,t){let[n,s]=A({});return P(()=>{let a=!0;return e().then(o=>a&&s({value:o}),o=>a&&s({error:o})),()=>a=!1},t),[n.value,n.error]}var le=()=>Object.fromEntries(new URLSearchParams(location.hash.slice(1)));function Ne(e){let t=new URLSearchParams(location.hash.slice(1));for(let[n,s]of Object.entries(e))s==null||s===""?t.delete(n):t.set(n,s);return`#${t}`}function C(e,{replace:t=!1}={}){let n=Ne(e);n===location.hash||n==="#"&&!location.hash||(history[t?"replaceState":"pushState"](null,"",n),window.dispatchEvent(new Event("convviz:state")))}function me(e){let t=["convviz:state","hashchange","popstate"];for(let n of t)window.addEventListener(n,e);return()=>t.forEach(n=>window.removeEventListener(n,e))}function B(){let[e,t]=A(le);return P(()=>me(()=>t(le())),[]),e}var bn="input:not([type=checkbox]):not([type=radio]), textarea, select";function q(e){P(()=>{let t=n=>{if(n.ctrlKey||n.metaKey||n.altKey||n.target.matches?.(bn))return;let s=e[n.key];s&&(n.preventDefault(),s(n))};return document.addEventListener("keydown",t),()=>document.removeEventListener("keydown",t)})}async function ce(e){let{block:t}=await oe(),n=Math.floor(e/t),s=await I(`items-${String(n).padStart(3,"0")}`);return Ze(s,e)}function Ze(e,t){let n=t-e.start,s=a=>a?.[n]??null;return{row:t,name:e.names[n],label:s(e.labels),predicted:s(e.predicted),probability:s(e.probability),correct:s(e.correct),size:s(e.sizes),preview:s(e.previews),thumb:e.thumbs&&{...e.thumbs,index:n}}}function _e({tile:e,size:t,label:n="",className:s=""}){if(!e)return u`<span class="tile missing ${s}" style=${{width:se(t),height:se(t)}}></span>`;let a=t/e.tile,o=e.index%e.columns*t,i=Math.floor(e.index/e.columns)*t,r={width:se(t),height:se(t),backgroundImage:`url("${L(e.atlas)}")`,backgroundPosition:`-${se(o)} -${se(i)}`,backgroundSize:`${se(e.columns*e.tile*a)} auto`};return u`<span class="tile ${s}" style=${r} ...${n?{role:"img","aria-label":n}:{"aria-hidden":"true"}}></span>`}var Le=e=>`${L("image.html")}#id=${e}`,se=e=>`${Math.round(e*1e3)/1e3}px`;function x(e,t=3){return e==null||Number.isNaN(e)?"–":e!==0&&(Math.abs(e)>=1e6||Math.abs(e)<.001)?e.toExponential(t-1):String(Number(e.toPrecision(t)))}function W(e){if(e==null)return"–";let t=e*100;return t===0||t===100?`${t} %`:`${t<10?Number(t.toPrecision(t<1?1:2)):Math.min(99.9,Number(t.toFixed(1)))} %`}var E=e=>String(e).replace(/\B(?=(\d{3})+(?!\d))/g," ");async function vn(e){try{await navigator.clipboard.writeText(e)}catch{let t=document.createElement("textarea");t.value=e,t.className="offscreen",document.body.append(t),t.select(),document.execCommand("copy"),t.remove()}}function ue({text:e,children:t}){let[n,s]=A(!1);return u`<button type="button" class="quiet" onClick=${async()=>{await vn(typeof e=="function"?e():e),s(!0),setTimeout(()=>s(!1),1500)}}>
    ${n?"Copied":t}<span class="offscreen" aria-live="polite">${n?"copied":""}</span>
  </button>`}function Ye(e,t,n){let s=document.createElement("a");s.href=URL.createObjectURL(new Blob([t],{type:n})),s.download=e,s.click(),setTimeout(()=>URL.revokeObjectURL(s.href),1e3)}function At(e,t){let n=s=>{if(s==null)return"";if(typeof s=="number")return String(s);let a=/^[=+\-@\t\r]/.test(String(s))?`'${s}`:String(s);return/[",\n\r]/.test(a)?`"${a.replaceAll('"','""')}"`:a};return[e,...t].map(s=>s.map(n).join(",")).join(`\r
`)+`\r
`}var R=({error:e})=>u`<p class="problem" role="alert">${e.message}.</p>`,T=()=>{document.body.dataset.ready="true"};var yn=e=>{let t=e.dataset.value??e.textContent.trim(),n=Number(t);return t!==""&&Number.isFinite(n)?n:t},wn=e=>[...e.cells].filter(t=>!t.classList.contains("number")).map(t=>t.textContent.toLowerCase()).join(" ");function xn(e,t,n){return e===""||t===""?(e==="")-(t===""):typeof e=="number"&&typeof t=="number"?n*(e-t):n*String(e).localeCompare(String(t),void 0,{numeric:!0})}function kn(e){let t=e.dataset.state,n=e.tBodies[0],s=[...n.rows],a=[...e.tHead.rows[0].cells],o=document.createElement("input"),i=document.createElement("span");for(let p of a){let d=document.createElement("button");d.type="button",d.className="sort",d.append(...p.childNodes),p.append(d),d.addEventListener("click",()=>{let f=p.getAttribute("aria-sort")==="descending",h=p.classList.contains("number"),_=!p.hasAttribute("aria-sort")?h?"down":"up":f?"up":"down";C({[`${t}-sort`]:`${p.dataset.key}-${_}`},{replace:!0})})}o.type="search",o.placeholder=e.dataset.filter,o.setAttribute("aria-label",e.dataset.filter),o.addEventListener("input",()=>C({[`${t}-filter`]:o.value},{replace:!0})),i.className="note",i.setAttribute("aria-live","polite");let r=document.createElement("div");r.className="bar-of-controls",r.append(o,i),e.parentElement.before(r);let c=()=>{let p=le(),[,d,f]=/^(.*)-(up|down)$/.exec(p[`${t}-sort`]??"")??[],h=a.findIndex(g=>g.dataset.key===d);a.forEach((g,v)=>{v===h?g.setAttribute("aria-sort",f==="up"?"ascending":"descending"):g.removeAttribute("aria-sort")});let l=(p[`${t}-filter`]??"").toLowerCase();document.activeElement!==o&&(o.value=p[`${t}-filter`]??"");let $=(h<0?s:s.map(g=>[yn(g.cells[h]),g]).sort((g,v)=>xn(g[0],v[0],f==="up"?1:-1)).map(([,g])=>g)).filter(g=>wn(g).includes(l));n.replaceChildren(...$),i.textContent=l?`${$.length} of ${s.length}`:""};c(),me(c)}var Te=()=>document.querySelectorAll("table.sortable").forEach(kn);var ae=560,Cn=7,Sn=12,It=(e,t)=>`images.html#${new URLSearchParams({class:e,predicted:t})}`;function Mn(e,t){return(n,s)=>{let a=null,o=Cn;for(let i of e){let r=Math.max(Math.abs((i[1]+.5)*t-n),Math.abs((i[0]+.5)*t-s))-t/2;(r<o||r===o&&i[2]>a[2])&&([a,o]=[i,r])}return a}}function Pn(e,t,n){let s=window.devicePixelRatio||1;e.width=e.height=ae*s;let a=e.getContext("2d"),o=getComputedStyle(e),[i,r,c]=["--right","--wrong","--line"].map(h=>o.getPropertyValue(h)),p=ae/t.length,d=n.reduce((h,l)=>Math.max(h,l[2]),1);a.scale(s,s),a.strokeStyle=c,a.beginPath(),a.moveTo(0,0),a.lineTo(ae,ae),a.stroke();let f=Math.max(p,3);for(let[h,l,_]of n)a.globalAlpha=.35+.65*Math.sqrt(_/d),a.fillStyle=h===l?i:r,a.fillRect((l+.5)*p-f/2,(h+.5)*p-f/2,f,f)}function En(e,t){let n=new Array(e.length).fill(0);for(let[s,a,o]of t)s!==a&&(n[s]+=o);return n.indexOf(Math.max(...n))}function Nn({names:e,cells:t,name:n}){let s=e.indexOf(n);if(s<0)return n?u`<p class="note">No class has this name.</p>`:null;let a=(i,r)=>{let c=i.sort((p,d)=>d[2]-p[2]);return u`<div>
      <h4>${r}</h4>
      ${c.length===0&&u`<p class="note">none</p>`}
      <ul>
        ${c.slice(0,Sn).map(([p,d,f])=>u`<li key=${`${p}-${d}`}>
          <a href=${It(e[p],e[d])}>${e[p===s?d:p]}</a> ${f}
        </li>`)}
      </ul>
    </div>`},o=t.filter(i=>i[0]!==i[1]);return u`<div class="class-confusions">
    ${a(o.filter(i=>i[0]===s),"Its images are predicted as")}
    ${a(o.filter(i=>i[1]===s),"Predicted so, but labelled")}
  </div>`}function Ln({name:e}){let[t,n]=F(()=>I(e),[e]),s=j(),[a,o]=A(null),{confusions:i}=B();if(P(()=>{if(!t)return;let _=()=>Pn(s.current,t.names,t.cells),$=window.matchMedia("(prefers-color-scheme: dark)");return _(),$.addEventListener("change",_),()=>$.removeEventListener("change",_)},[t]),n)return u`<${R} error=${n} />`;if(!t)return u`<p class="note">The matrix is loading …</p>`;let{names:r,cells:c}=t,p=Mn(c,ae/r.length),d=i??r[En(r,c)],f=_=>{let $=s.current.getBoundingClientRect();return p((_.clientX-$.left)/$.width*ae,(_.clientY-$.top)/$.height*ae)},h=_=>{let $=f(_);$&&(location.href=It(r[$[0]],r[$[1]]))},l=a?`${r[a[0]]}, predicted as ${r[a[1]]}: ${a[2]} ${a[2]===1?"image":"images"}`:"Point at a cell to read it, click it to see its images.";return u`<h3>All ${r.length} classes</h3>
    <div class="columns">
      <figure class="whole">
        <canvas ref=${s} class=${a?"pointing":""} role="img"
          aria-label="Confusion matrix of all classes; the field beside it lists the confusions of a class"
          onPointerMove=${_=>o(f(_))} onPointerLeave=${()=>o(null)} onClick=${h}></canvas>
        <figcaption>${l}</figcaption>
      </figure>
      <div>
        <label class="field">Confusions of a class
          <input type="search" list="confused-classes" value=${d}
            onInput=${_=>C({confusions:_.target.value},{replace:!0})} />
        </label>
        <datalist id="confused-classes">${r.map(_=>u`<option value=${_} />`)}</datalist>
        <${Nn} names=${r} cells=${c} name=${d} />
      </div>
    </div>`}function Ot(){Te();let e=document.getElementById("full-matrix");e&&H(u`<${Ln} name=${e.dataset.chunk} />`,e),T()}var $e=254,Tn=255,Dt="convviz-maps",et=e=>Uint8Array.from(atob(e),t=>t.charCodeAt(0));function An(){try{return JSON.parse(localStorage.getItem(Dt))??{}}catch{return{}}}function In(e){try{localStorage.setItem(Dt,JSON.stringify(e))}catch{}}var jt=(e,t)=>t===Tn?null:e.low+t/$e*(e.high-e.low);function On(e,t,n,[s,a]){let o=new ImageData(e.width,e.height);for(let i=0;i<t.length;i++){let r=jt(e,t[i]);if(r===null)continue;let c=Math.min(1,Math.max(0,(r-s)/(a-s||1))),p=3*Math.round(c*$e);o.data.set([n[p],n[p+1],n[p+2],255],4*i)}return o}function Rn({palette:e,range:t,unit:n,isSigned:s}){let a=j();P(()=>{let c=a.current.getContext("2d"),p=new ImageData($e+1,1);for(let d=0;d<=$e;d++)p.data.set([...e.subarray(3*d,3*d+3),255],4*d);c.putImageData(p,0,0)},[e]);let[o,i]=t,r=s?`red: ${n||"value"} above zero, blue: below zero`:`bright: high ${n||"value"}`;return u`<div class="colour-bar">
    <canvas ref=${a} width=${$e+1} height="1" aria-hidden="true"></canvas>
    <span class="ends"><span>${x(o)}</span>${s&&u`<span>0</span>`}<span>${x(i)}</span></span>
    <span class="muted small">${r}</span>
  </div>`}var Bt=16,Qe={factor:1,x:.5,y:.5};function Ae(e,t,n){let s=Math.min(Bt,Math.max(1,e)),a=.5/s,o=i=>Math.min(1-a,Math.max(a,i));return{factor:s,x:o(t),y:o(n)}}function Rt(e,{factor:t,x:n,y:s}){let a=e.currentTarget.getBoundingClientRect();return[n+((e.clientX-a.left)/a.width-.5)/t,s+((e.clientY-a.top)/a.height-.5)/t]}function Dn({panel:e,title:t,palette:n,range:s,choices:a,cross:o,setCross:i,zoom:r,setZoom:c,isBare:p}){let d=j(),f=j(null),h=Z(()=>e.values&&et(e.values),[e]);P(()=>{h&&d.current.getContext("2d").putImageData(On(e,h,n,s),0,0)},[h,n,s[0],s[1]]);let l=p?0:e.view&&!e.picture?a.opacity:1,_=w=>{f.current={x:w.clientX,y:w.clientY,zoom:r,isMoved:!1},w.currentTarget.setPointerCapture(w.pointerId)},$=w=>{i(Rt(w,r));let k=f.current;if(!k)return;let O=w.currentTarget.getBoundingClientRect(),[D,ve]=[(w.clientX-k.x)/O.width,(w.clientY-k.y)/O.height];k.isMoved||=Math.hypot(w.clientX-k.x,w.clientY-k.y)>4,k.isMoved&&c(Ae(r.factor,k.zoom.x-D/r.factor,k.zoom.y-ve/r.factor))},g=w=>{let k=f.current&&!f.current.isMoved;if(f.current=null,!k||w.button!==0)return;let[O,D]=Rt(w,r);c(w.shiftKey?Ae(r.factor/2,r.x,r.y):Ae(r.factor*2,O,D))},v="";if(o&&h){let w=Math.min(e.width-1,Math.max(0,Math.floor(o[0]*e.width))),k=Math.min(e.height-1,Math.max(0,Math.floor(o[1]*e.height))),O=jt(e,h[k*e.width+w]);v=O===null?"no value":x(O)}let m=a.smooth?"":"crisp",b=(w,k)=>`${100*(.5+(w-k)*r.factor)}%`,y={transform:`translate(${100*(.5-r.x*r.factor)}%, ${100*(.5-r.y*r.factor)}%) scale(${r.factor})`};return u`<div class="map-panel ${r.factor>1?"is-zoomed":""}" onPointerDown=${_} onPointerMove=${$} onPointerUp=${g}
      onPointerCancel=${()=>f.current=null} onPointerLeave=${()=>i(null)}>
    <div class="map-layers" style=${y}>
      ${e.view&&u`<img class=${r.factor>2?"crisp":""} src=${L(e.view)} alt="" draggable=${!1} />`}
      ${e.picture?u`<img class=${`over ${m}`} src=${L(e.picture)} style=${{opacity:l}} alt=${t} />`:u`<canvas ref=${d} class=${`over ${m}`} width=${e.width} height=${e.height} style=${{opacity:l}}
            role="img" aria-label=${t}></canvas>`}
    </div>
    ${o&&u`<span class="cross" style=${{left:b(o[0],r.x),top:b(o[1],r.y)}}></span>`}
    <output class="reading">${v}</output>
  </div>`}function jn({chunk:e,nameOf:t}){if(!e.agreements.length)return null;let n=e.agreements.map(({panels:s,correlation:a,overlap:o})=>{let[i,r]=s.map(d=>e.panels[d]),c=i.row===r.row;return{names:[i,r].map(d=>c?t.column(d.column):t.row(d.row)),of:c?t.row(i.row):t.column(i.column),correlation:a,overlap:o}});return u`<details class="agreements" open>
    <summary>Agreement of the maps</summary>
    <div class="scroll" tabindex="0" role="group" aria-label="Agreement of the maps">
      <table>
        <thead><tr><th scope="col">maps</th><th scope="col">for</th><th scope="col" class="number">rank correlation</th>
          <th scope="col" class="number">overlap of the top 10 %</th></tr></thead>
        <tbody>${n.map(({names:s,of:a,correlation:o,overlap:i},r)=>u`<tr key=${r}>
          <th scope="row">${s[0]} – ${s[1]}</th><td>${a}</td>
          <td class="number">${o===null?"flat map":o.toFixed(2)}</td>
          <td class="number">${W(i)}</td></tr>`)}</tbody>
      </table>
    </div>
    <p class="note">Rank correlation over the pixels: 1 is the same order, 0 none. Chance gives an overlap of 10 %.
      Two signed maps are compared by value, others by magnitude.</p>
  </details>`}function Bn(e,t,n){if(!n)return[t.low,t.high];let s=e.filter(a=>a.column===t.column&&a.values);return[Math.min(...s.map(a=>a.low)),Math.max(...s.map(a=>a.high))]}function Hn(e){return e.map(t=>{let n=e.filter(({name:a})=>a===t.name),s=Object.entries(t.parameters).filter(([a,o])=>n.some(i=>i.parameters[a]!==o)).map(([a,o])=>`${a}=${o}`);return[t.name,t.layer,...s].filter(Boolean).join(" ")})}function Un({chunk:e}){let[t,n]=A({opacity:.65,smooth:!0,shared:!1,...An()}),[s,a]=A(null),[o,i]=A(Qe),[r,c]=A(!1),p=Z(()=>({signed:et(e.palettes.signed),plain:et(e.palettes.plain)}),[e]),d=m=>{let b={...t,...m};n(b),In(b)};P(()=>{let m=b=>{b.key!==" "||b.target.closest?.("input, button, select, a, textarea")||(b.preventDefault(),c(b.type==="keydown"))};return document.addEventListener("keydown",m),document.addEventListener("keyup",m),()=>{document.removeEventListener("keydown",m),document.removeEventListener("keyup",m)}},[]);let f=m=>i(Ae(o.factor*m,...s??[o.x,o.y]));q({"+":()=>f(2),"=":()=>f(2),"-":()=>f(.5),0:()=>i(Qe)});let h=new Set(e.rows.map(m=>m.model)),l={row:m=>[e.rows[m].target,h.size>1&&e.rows[m].model].filter(Boolean).join(" · "),column:m=>g[m]},{only:_}=B(),$=e.columns.map((m,b)=>({...m,place:b})).filter(m=>_===void 0||m.name===_),g=Hn(e.columns),v=$.length?$:e.columns.map((m,b)=>({...m,place:b}));return u`<div class="bar-of-controls">
      <label class="field">Opacity
        <input type="range" min="0" max="1" step="0.05" value=${t.opacity}
          onInput=${m=>d({opacity:Number(m.target.value)})} /></label>
      <label class="field"><input type="checkbox" checked=${t.smooth}
        onChange=${m=>d({smooth:m.target.checked})} /> smooth</label>
      ${e.rows.length>1&&u`<label class="field">Scale
        <select value=${t.shared?"shared":"own"} onChange=${m=>d({shared:m.target.value==="shared"})}>
          <option value="own">each map its own</option>
          <option value="shared">one per explainer</option>
        </select></label>`}
      <span class="zoom" role="group" aria-label="Zoom of all maps">
        <button type="button" aria-label="Zoom out (-)" disabled=${o.factor===1} onClick=${()=>f(.5)}>−</button>
        <button type="button" aria-label="Zoom in (+)" disabled=${o.factor===Bt} onClick=${()=>f(2)}>+</button>
        <button type="button" disabled=${o.factor===1} onClick=${()=>i(Qe)}>Whole image</button>
      </span>
      ${e.columns.length>1&&u`<label class="field">Explainer
        <select value=${_??""} onChange=${m=>C({only:m.target.value},{replace:!0})}>
          <option value="">all</option>
          ${[...new Set(e.columns.map(({name:m})=>m))].map(m=>u`<option value=${m}>${m}</option>`)}
        </select></label>`}
      <span class="muted small">Hold <kbd>Space</kbd> for the photo alone</span>
    </div>
    <div class="scroll" tabindex="0" role="group" aria-label="Maps by explainer and target">
      <table class="maps">
        <thead><tr><th scope="col">target</th>${v.map(m=>u`<th scope="col" key=${m.place}>
          ${g[m.place]}</th>`)}</tr></thead>
        <tbody>${e.rows.map(({target:m,model:b},y)=>u`<tr key=${y}>
          <th scope="row">${m}${h.size>1&&u` <span class="muted">${b}</span>`}</th>
          ${v.map(w=>u`<td key=${w.place}>
            ${e.panels.filter(k=>k.row===y&&k.column===w.place).map(k=>{let O=k.signed?p.signed:p.plain,D=Bn(e.panels,k,t.shared);return u`<div class="map-cell">
                <${Dn} panel=${k} palette=${O} range=${D} choices=${t} ...${{cross:s,setCross:a,zoom:o,setZoom:i,isBare:r}}
                  title=${`${w.name} for ${l.row(y)}`} />
                ${k.values?u`<${Rn} palette=${O} range=${D} unit=${w.unit} isSigned=${k.signed} />`:u`<span class="muted small">Mid-grey is zero; colours are the channels of ${w.unit||"the map"}.</span>`}
                ${k.note&&u`<span class="muted small">${k.note}</span>`}
                ${w.notes.length>0&&u`<p class="map-note" title=${w.notes.join(" ")}>${w.notes[0]}</p>`}
              </div>`})}
          </td>`)}
        </tr>`)}</tbody>
      </table>
    </div>
    <p class="note">A click zooms in, a click with Shift out; drag to move. Keys: <kbd>+</kbd> <kbd>-</kbd> <kbd>0</kbd>.</p>
    <${jn} chunk=${e} nameOf=${l} />
    ${v.map(m=>u`<details key=${m.place} class="small">
      <summary>${g[m.place]}: parameters and notes</summary>
      ${m.notes.map(b=>u`<p class="note">${b}</p>`)}
      <dl class="facts">${Object.entries(m.parameters).map(([b,y])=>u`<div key=${b}>
        <dt>${b}</dt><dd class="plain">${y}</dd></div>`)}</dl>
    </details>`)}`}function Ht({name:e}){let[t,n]=F(async()=>e?I(e):null,[e]);return e?u`<section class="card" aria-labelledby="maps-title">
    <div class="head"><h2 id="maps-title">What the scores depend on</h2></div>
    ${n&&u`<${R} error=${n} />`}
    ${t&&u`<${Un} key=${e} chunk=${t} />`}
  </section>`:null}function K(e,t){if(t.label===null)return[];let n=e.class_outputs?.[t.label],s=[e.classes[t.label],e.outputs[n]];return[...new Set(s.filter(a=>a!=null))]}var re=(e,t)=>t===null||t<0?"":e.outputs[t]??String(t);var Fn=64,tt=e=>Math.max(...e.size)<=Fn?"crisp":"";function Ie({item:e,size:t}){return e?e.preview?u`<img class="square ${tt(e)}" src=${L(e.preview)} alt="" loading="lazy" width=${t} height=${t} />`:u`<${_e} tile=${e.thumb} size=${t} />`:u`<${_e} size=${t} />`}function Ut({item:e,box:t,size:n}){if(!e.preview||!t)return null;let[s,a]=e.size,o=[Math.max(0,t[0]),Math.max(0,t[1]),Math.min(a,t[2]),Math.min(s,t[3])],i=n/Math.max(o[2]-o[0],o[3]-o[1]),r={width:`${a*i}px`,height:`${s*i}px`,left:`${n/2-(o[0]+o[2])/2*i}px`,top:`${n/2-(o[1]+o[3])/2*i}px`};return u`<span class="crop" style=${{width:`${n}px`,height:`${n}px`}}>
    <img class=${i>3?"crisp":""} src=${L(e.preview)} alt="" style=${r} /></span>`}var Oe=e=>`images.html#${new URLSearchParams(e)}`;function Wn({item:e}){return e.preview?u`<img class="photo-large ${tt(e)}" src=${L(e.preview)} alt=${e.name}
    width=${e.size[1]} height=${e.size[0]} />`:u`<p class="photo-missing">The photo is not part of this report.</p>`}function qn({item:e}){return e.correct===!0?u`<span class="badge good">✓ predicted right</span>`:e.correct===!1?u`<span class="badge bad">✗ predicted wrong</span>`:null}function Kn({site:e,item:t,predictions:n,index:s}){let a=K(e,t),o=n.names[s],i=n.rank?.[s]??-1,r=o.some(p=>a.includes(p)),c=n.label_probability?.[s];return u`<table class="predictions">
    <caption class="offscreen">Predicted classes</caption>
    <thead class="offscreen"><tr><th scope="col">class</th><th scope="col">probability</th></tr></thead>
    <tbody>
      ${o.map((p,d)=>{let f=n.probabilities[s][d];return u`<tr class=${a.includes(p)?"is-label":""}>
          <th scope="row"><a href=${Oe({predicted:p})}>${p}</a>
            ${a.includes(p)&&u` <span class="badge">label</span>`}</th>
          <td><span class="probability"><span style=${{width:`${100*(f??0)}%`}}></span></span></td>
          <td class="number">${W(f)}</td>
        </tr>`})}
      ${!r&&i>=0&&u`<tr class="is-label">
        <th scope="row"><a href=${Oe({class:a[0]})}>${a.at(-1)}</a> <span class="badge">label</span>
          <span class="muted small"> rank ${i+1}</span></th>
        <td><span class="probability"><span style=${{width:`${100*(c??0)}%`}}></span></span></td>
        <td class="number">${W(c)}</td>
      </tr>`}
    </tbody>
  </table>`}function Ft({site:e,item:t,title:n,rows:s,distances:a,unit:o}){let i=K(e,t),r=s.map((c,p)=>[c,a[p]]).filter(([c])=>c>=0);return u`<div class="near-row">
    <h3>${n}</h3>
    <ol class="thumbs">
      ${r.map(([c,p])=>u`<${Vn} key=${c} site=${e} row=${c} distance=${p}
        unit=${o} labels=${i} />`)}
    </ol>
  </div>`}function Vn({site:e,row:t,distance:n,unit:s,labels:a}){let[o]=F(()=>ce(t),[t]),i=o?K(e,o):[],r=a.length>0&&i[0]===a[0];return u`<li>
    <a class="image-item small" href=${Le(t)}>
      <${Ie} item=${o} size=${88} />
      <span class="line">${i[0]??o?.name??""}${r&&u` <span class="same" title="same class">✓<span class="offscreen"> same class</span></span>`}</span>
      <span class="line muted" title=${s}>${x(n)}</span>
    </a>
  </li>`}function zn({site:e,item:t,neighbors:n,index:s}){let a=e.layers.filter(p=>n[p.slug]),o=B();if(a.length===0)return null;let i=a.find(({slug:p})=>p===o.near)??a.at(-1),r=n[i.slug],c=r.items[s].every(p=>p<0);return u`<section class="card" aria-labelledby="near-title">
    <div class="head"><h2 id="near-title">Nearest images</h2>
      ${a.length>1&&u`<label class="field">Features of
        <select value=${i.slug} onChange=${p=>C({near:p.target.value},{replace:!0})}>
          ${a.map(({slug:p,name:d})=>u`<option value=${p}>${d}</option>`)}
        </select></label>`}
    </div>
    ${c?u`<p class="note">The features of this image cannot be compared: they are not finite, or all zero.</p>`:u`<${Ft} site=${e} item=${t} title=${`in the features of ${i.name} (${r.unit})`}
          rows=${r.items[s]} distances=${r.distances[s]} unit=${r.unit} />`}
    ${r.pixel_items&&u`<${Ft} site=${e} item=${t} title="by pixels, for comparison (L2 distance)"
      rows=${r.pixel_items[s]} distances=${r.pixel_distances[s]} unit="L2 distance" />`}
  </section>`}function Gn({site:e,item:t,units:n,index:s}){let a=e.layers.filter(c=>n[c.slug]),o=B();if(a.length===0)return null;let i=a.find(({slug:c})=>c===o.layer)??a.at(-1),r=n[i.slug][s];return u`<section class="card" aria-labelledby="units-title">
    <div class="head"><h2 id="units-title">Units that it activates most</h2>
      ${a.length>1&&u`<label class="field">Layer
        <select value=${i.slug} onChange=${c=>C({layer:c.target.value},{replace:!0})}>
          ${a.map(({slug:c,name:p})=>u`<option value=${c}>${p} (${n[c][s].length})</option>`)}
        </select></label>`}
    </div>
    <p class="note">${r.length===0?`This image is among the top images of no unit of ${i.name}.`:`Units of ${i.name} that have this image among their top images, the highest ranks first.`}</p>
    <ol class="unit-cards">
      ${r.map(([c,p,d,...f])=>u`<li key=${`${c}-${p}`}>
        <a href=${`${L(i.pages.layer)}#unit=${c}`}>
          <${Ut} item=${t} box=${f.length?f:null} size=${76} />
          <strong>unit ${c}</strong>
          <span class="muted small">rank ${p+1} · ${x(d)}</span>
        </a>
      </li>`)}
    </ol>
  </section>`}function Xn({site:e,row:t,block:n}){let s=`images/${String(Math.floor(t/n)).padStart(4,"0")}`,[a,o]=F(async()=>[await ce(t),await I(s),t],[t]),i=l=>{let _=t+l;_>=0&&_<e.count&&C({id:_})};if(q({ArrowLeft:()=>i(-1),ArrowRight:()=>i(1)}),P(()=>{(a||o)&&T(),a&&(document.title=`${a[0].name} – ${e.title}`)},[a,o]),o)return u`<${R} error=${o} />`;if(!a)return u`<p class="muted">Loading …</p>`;let[r,c,p]=a,d=p-c.start,f=K(e,r),h=e.layers.filter(l=>l.pages.map);return u`<div class="head">
      <h1>${r.name}</h1>
      <${qn} item=${r} />
      <span class="sub">image ${E(p+1)} of ${E(e.count)}</span>
      <span class="steps">
        <button type="button" disabled=${t===0} onClick=${()=>i(-1)}>← previous</button>
        <button type="button" disabled=${t===e.count-1} onClick=${()=>i(1)}>next →</button>
        <${ue} text=${()=>location.href}>Copy link<//>
      </span>
    </div>
    <div class="stack">
      <div class="image-head">
        <div class="photo-frame"><${Wn} item=${r} /></div>
        <section class="card" aria-labelledby="predictions-title">
          <h2 id="predictions-title">Label and predictions</h2>
          <dl class="facts">
            <div><dt>label</dt><dd>${f.length?u`<a href=${Oe({class:f[0]})}>${f.join(" · ")}</a>`:u`<span class="muted">none</span>`}</dd></div>
            ${r.predicted!==null&&u`<div><dt>predicted</dt><dd>
              <a href=${Oe({predicted:re(e,r.predicted)})}>${re(e,r.predicted)}</a>
            </dd></div>`}
            <div><dt>size</dt><dd class="plain">${r.size[1]} × ${r.size[0]}</dd></div>
          </dl>
          ${c.predictions?u`<${Kn} site=${e} item=${r} predictions=${c.predictions} index=${d} />`:u`<p class="note">The run has no predictions.</p>`}
          ${h.length>0&&u`<p class="links">${h.map(l=>u`<a
            href=${`${L(l.pages.map)}#id=${p}`}>Place on the map of ${l.name}</a> `)}</p>`}
        </section>
      </div>
      <${Ht} name=${c.maps?.[d]} />
      <${zn} site=${e} item=${r} neighbors=${c.neighbors} index=${d} />
      <${Gn} site=${e} item=${r} units=${c.units} index=${d} />
    </div>`}function Jn({site:e,block:t}){let{id:n}=B(),s=Number(n??0),a=Number.isInteger(s)&&s>=0&&s<e.count;return P(()=>{a||T()},[a]),a?u`<${Xn} site=${e} row=${s} block=${t} />`:u`<p class="problem" role="alert">This report has images 0 to ${e.count-1}; the address asks for “${n}”.</p>`}async function Wt(){let e=document.getElementById("image");try{H(u`<${Jn} site=${await oe()} block=${Number(e.dataset.block)} />`,e)}catch(t){H(u`<${R} error=${t} />`,e),T()}}var ge=120,Zn=new Intl.Collator(void 0,{numeric:!0}),Yn=[["","all"],["right","right"],["wrong","wrong"],["unknown","no label"]],qt=[["","order of the data set"],["confidence","most confident first"],["doubt","least confident first"],["name","name"],["class","class"]];function Qn(e){let[t,n]=A([]),[s,a]=A(null),o=Math.ceil(e.count/e.block);return P(()=>{let i=!0,r=[];return(async()=>{for(let p=0;p<o;p++){let d=await I(`items-${String(p).padStart(3,"0")}`);if(!i)return;for(let f=0;f<d.names.length;f++)r.push(Ze(d,d.start+f));(p===0||p===o-1||p%16===0)&&n([...r])}})().catch(p=>i&&a(p)),()=>i=!1},[e]),[t,s]}function es(e,t){let n=(t.q??"").toLowerCase().split(/\s+/).filter(Boolean);return s=>{let a=K(e,s),o=re(e,s.predicted);if(t.class&&!a.includes(t.class)||t.predicted&&o!==t.predicted||t.correct==="right"&&s.correct!==!0||t.correct==="wrong"&&s.correct!==!1||t.correct==="unknown"&&s.correct!==null)return!1;let i=`${s.name} ${a.join(" ")} ${o}`.toLowerCase();return n.every(r=>i.includes(r))}}function ts(e,t,n){let s=(a,o=1)=>[...t].sort((i,r)=>{let[c,p]=[a(i),a(r)];return c===p?i.row-r.row:c===null||c===""?1:p===null||p===""?-1:o*(typeof c=="number"?c-p:Zn.compare(c,p))});return n==="confidence"?s(a=>a.probability,-1):n==="doubt"?s(a=>a.probability):n==="name"?s(a=>a.name):n==="class"?s(a=>K(e,a)[0]??""):t}function ns({site:e,item:t,isCurrent:n,onFocus:s}){let a=K(e,t)[0]??"",o=re(e,t.predicted),i=t.correct===!1?"wrong":t.correct===!0?"right":"",r=i==="wrong"?`✗ ${o}`:o,c=[t.name,a&&`label ${a}`,o&&`predicted ${o} ${W(t.probability)}`,i].filter(Boolean).join(", ");return u`<li>
    <a class="image-item ${i}" href=${`image.html#id=${t.row}`} aria-label=${c} data-row=${t.row}
      tabindex=${n?0:-1} onFocus=${s}>
      <${Ie} item=${t} size=${112} />
      <span class="line name">${t.name}</span>
      ${a&&u`<span class="line">${a}</span>`}
      ${o&&u`<span class="verdict"><span class="line">${r}</span>
        <span class="share">${W(t.probability)}</span></span>`}
    </a>
  </li>`}function Kt({name:e,title:t,options:n,value:s}){return u`<label class="field">${t}
    <select value=${s} onChange=${a=>C({[e]:a.target.value})}>
      ${n.map(([a,o])=>u`<option value=${a}>${o}</option>`)}
    </select>
  </label>`}function Vt({name:e,title:t,names:n,value:s}){let a=o=>C({[e]:o.target.value},{replace:!0});return u`<label class="field">${t}
    <input type="search" list=${`${e}-names`} value=${s} placeholder="any" onInput=${a} />
    <datalist id=${`${e}-names`}>${n.map(o=>u`<option value=${o} />`)}</datalist>
  </label>`}function ss(e,t,n,s,a){let o=t.children,i=Math.max(1,[...o].findIndex(d=>d.offsetTop>o[0].offsetTop)),r=i===1&&o[1]?.offsetTop===o[0]?.offsetTop?o.length:i,c={ArrowRight:1,ArrowLeft:-1,ArrowDown:r,ArrowUp:-r}[e.key],p=e.key==="Home"?0:e.key==="End"?s-1:c?n+c:null;p===null||p<0||p>=s||(e.preventDefault(),a(p))}function os({site:e}){let t=B(),[n,s]=Qn(e),[a,o]=A(ge),[i,r]=A(0),c=j(),p=j(),d=Z(()=>ts(e,n.filter(es(e,t)),t.sort),[e,n,t]),f=n.some(m=>m.predicted!==null),h=Z(()=>[...new Set(n.map(m=>re(e,m.predicted)))].filter(Boolean).sort(),[n]),l=Z(()=>[...new Set(n.flatMap(m=>K(e,m).slice(0,1)))].sort(),[n]);q({"/":()=>p.current.focus()}),P(()=>{o(ge),r(0)},[t]),P(()=>{n.length&&T()},[n]);let _=j();P(()=>{if(!_.current)return;let m=new IntersectionObserver(b=>b.some(y=>y.isIntersecting)&&o(y=>y+ge),{rootMargin:"400px"});return m.observe(_.current),()=>m.disconnect()},[a<d.length,a]);let $=m=>{m>=a&&o(m+ge),r(m);let b=()=>c.current.children[m]?.firstElementChild?.focus();m<c.current.children.length?b():requestAnimationFrame(b)};if(s)return u`<${R} error=${s} />`;let g=n.length<e.count,v=["q","class","predicted","correct"].some(m=>t[m]);return u`<div class="bar-of-controls" role="search">
      <label class="field wide">Search
        <input ref=${p} type="search" value=${t.q??""} placeholder="file, class or prediction  ( / )"
          onInput=${m=>C({q:m.target.value},{replace:!0})} />
      </label>
      ${l.length>0&&u`<${Vt} name="class" title="Label" names=${l} value=${t.class??""} />`}
      ${f&&u`<${Vt} name="predicted" title="Predicted" names=${h} value=${t.predicted??""} />
        <${Kt} name="correct" title="Prediction is" options=${Yn} value=${t.correct??""} />`}
      <${Kt} name="sort" title="Order" value=${t.sort??""}
        options=${f?qt:qt.filter(([m])=>m!=="confidence"&&m!=="doubt")} />
    </div>
    <p class="note" role="status">
      ${E(d.length)} ${v?`of ${E(n.length)}`:""} images${g?`; ${E(e.count-n.length)} are loading …`:""}
      ${v&&u` <a href="#" onClick=${m=>{m.preventDefault(),C({q:null,class:null,predicted:null,correct:null})}}>show all</a>`}
    </p>
    ${d.length===0&&!g&&u`<p class="empty">No image matches.</p>`}
    <ol class="image-grid" ref=${c} onKeyDown=${m=>ss(m,c.current,i,d.length,$)}>
      ${d.slice(0,a).map((m,b)=>u`<${ns} key=${m.row} site=${e} item=${m}
        isCurrent=${b===i} onFocus=${()=>r(b)} />`)}
    </ol>
    ${a<d.length&&u`<p ref=${_}><button type="button" onClick=${()=>o(a+ge)}>
      Show more of ${E(d.length)}</button></p>`}`}async function zt(){let e=document.getElementById("images");try{let t=await oe();H(u`<${os} site=${t} />`,e),t.count===0&&T()}catch(t){H(u`<${R} error=${t} />`,e),T()}}var Q=420,be=130,z=be-22,as=6;function Gt({edges:e,counts:t}){let n=t.reduce((d,f)=>d+f,0),s=Math.log10(Math.max(...t)+1),a=Q/t.length,o=Math.ceil(e.length/as),i=t.map((d,f)=>{let h=d?Math.max(1.5,(z-6)*Math.log10(d+1)/s):0,_=e[f]===0&&e[f+1]===0?"exactly 0":`${x(e[f])} to ${x(e[f+1])}`,$=e[f+1]>0;return u`<rect key=${f} class=${$?"fires":""} x=${f*a+.5} y=${z-h}
      width=${Math.max(.5,a-1)} height=${h}><title>${_}: ${E(d)} (${(100*d/n).toPrecision(2)} %)</title></rect>`}),r=e.map((d,f)=>[d,f]).filter(([,d])=>d%o===0),c=t.reduce((d,f,h)=>d+(e[h+1]>0?f:0),0),p=`${E(n)} values from ${x(e[0])} to ${x(e.at(-1))}, ${(100*c/n).toPrecision(3)} % above 0`;return u`<svg class="histogram" viewBox="0 0 ${Q} ${be}" role="img" aria-label=${p}>
      ${i}
      <line x1="0" x2=${Q} y1=${z+.5} y2=${z+.5} />
      ${r.map(([d,f])=>u`<text key=${f} x=${f*a} y=${be-6} text-anchor=${f===0?"start":f===e.length-1?"end":"middle"}>${x(d,2)}</text>`)}
    </svg>
    <p class="note">${p} (strong colour). Two bins per doubling; heights are logarithmic.</p>`}var Re=5;function Xt({low:e,high:t,counts:n,strata:s}){let a=n.reduce((l,_)=>l+_,0),o=Math.log10(Math.max(...n)+1),i=Q/n.length,r=l=>e+(t-e)*l/n.length,c=n.map((l,_)=>{if(!l)return null;let $=Math.max(1.5,(z-18)*Math.log10(l+1)/o);return u`<rect key=${_} class=${r(_+1)>0?"fires":""} x=${_*i+.5} y=${z-$}
      width=${i-1} height=${$}><title>${x(r(_))} to ${x(r(_+1))}: ${E(l)} (${(100*l/a).toPrecision(2)} %)</title></rect>`}),p=e===t?[0]:[...Array(Re+1).keys()],d=l=>t>e?(l-e)/(t-e)*Q:i/2,f=s.map(({share:l,examples:_})=>({share:l,at:d(_[Math.floor(_.length/2)].value)})),h=`The highest values of ${E(a)} images, from ${x(e)} to ${x(t)}`;return u`<svg class="histogram" viewBox="0 0 ${Q} ${be}" role="img" aria-label=${h}>
      ${c}
      ${f.map(({share:l,at:_})=>u`<line key=${l} class="mark" x1=${_} x2=${_} y1="4" y2=${z}><title>${nt(l)}</title></line>`)}
      <line x1="0" x2=${Q} y1=${z+.5} y2=${z+.5} />
      ${p.map(l=>u`<text key=${l} x=${l*Q/Re} y=${be-6}
        text-anchor=${l===0?"start":l===Re?"end":"middle"}>${x(e+(t-e)*l/Re,2)}</text>`)}
    </svg>`}function nt(e){return e===1?"lowest":e===.5?"median":`top ${Number((100*e).toPrecision(3))} %`}var rs=64,ie=e=>`${(100*e).toFixed(3)}%`;function Jt([e,t],n){let[s,a,o,i]=n??[0,0,t,e],r=Math.max(o-s,i-a),c=(s+o-r)/2,p=(a+i-r)/2;return{width:t/r,height:e/r,left:-c/r,top:-p/r}}var is=([e,t],[n,s,a,o])=>({left:n/t,top:s/e,width:(a-n)/t,height:(o-s)/e}),st=e=>Object.fromEntries(Object.entries(e).map(([t,n])=>[t,ie(n)]));function ls(e){let t=Math.max(e[2]-e[0],e[3]-e[1]),n=ie((1-(e[2]-e[0])/t)/2);return`inset(${ie((1-(e[3]-e[1])/t)/2)} ${n})`}function cs({patch:e,mode:t,guided:n,alt:s}){let{image:a,box:o}=e;if(t==="guided"&&n){let c={width:ie(n.columns),height:ie(n.rows),left:ie(-n.rank),top:ie(-n.row)};return u`<img src=${L(n.atlas)} alt=${s} style=${c} />`}if(!a?.preview&&a?.thumb)return u`<${_e} tile=${a.thumb} size=${rs} label=${s} className="centered" />`;if(!a?.preview)return u`<span class="no-photo">${a?"photo not available":"not in this report"}</span>`;let i=Math.max(...a.size)<=64?"crisp":"";if(t==="whole"||!o)return u`<span class="photo" style=${st(Jt(a.size,null))}>
      <img class=${i} src=${L(a.preview)} alt=${s} />
      ${o&&u`<span class="box" style=${st(is(a.size,o))}></span>`}</span>`;let r=o[2]-o[0]<40?"crisp":i;return u`<span class="window" style=${{clipPath:ls(o)}}>
    <img class=${r} src=${L(a.preview)} alt=${s} style=${st(Jt(a.size,o))} /></span>`}function ot({patch:e,rank:t,mode:n,site:s,guided:a,isMeant:o,isLoading:i}){let{image:r}=e,c=r?.label===null||r?.label===void 0?"":s.classes[r.label],p=r?.name??"",d=c||p,f=r&&s.has.images?Le(r.row):null,h=`top ${t+1}: ${d}, activation ${x(e.value)}`,l=u`<span class="frame">${!i&&u`<${cs} ...${{patch:e,mode:n,guided:a,alt:h}} />`}</span>`;return u`<figure class=${o?"":"faded"}>
    ${f?u`<a href=${f} title=${p}>${l}</a>`:u`<span title=${p}>${l}</span>`}
    <figcaption><b>${x(e.value)}</b> <span title=${d}>${d}</span>
      ${r?.correct===!1&&u`<span class="badge bad" title=${`predicted: ${s.outputs[r.predicted]??r.predicted}`}>wrong</span>`}
    </figcaption>
  </figure>`}var Zt={crop:"Patch",whole:"Whole image",guided:"Guided gradient"},us=(e,t)=>String(Math.floor(e/t)).padStart(3,"0");async function De(e,t,n,s="units"){let o=(await I(`layer/${e}/${s}-${us(t,n.block)}`))[t%n.block],i=await Promise.all(o.patches.map(async r=>({...r,image:r.row===null?null:await ce(r.row)})));return{...o,patches:i}}function Qt(e,t,n){De(e,t,n).then(({patches:s})=>{for(let{image:a}of s)a?.preview&&(new Image().src=L(a.preview))},()=>{})}function en({unit:e,units:t,data:n,layer:s,site:a,slug:o}){let i=B(),[r,c]=F(()=>De(o,e,n),[o,e]),p=j(null),d=t.indexOf(e),f=$=>{let g=d<0?t[0]:t[(d+$+t.length)%t.length];g!==void 0&&C({unit:g})},h=r?.unit===e,l=Object.keys(Zt).filter($=>$!=="guided"||h&&r.guided!==null&&s.guided),_=l.includes(i.view)?i.view:"crop";return q({ArrowLeft:()=>f(-1),ArrowRight:()=>f(1),w:()=>C({view:_==="whole"?null:"whole"},{replace:!0}),j:()=>p.current?.focus(),Escape:()=>C({unit:null})}),P(()=>{(h||c)&&T();let $=t[d+1];h&&$!==void 0&&De(o,$,n).catch(()=>{})},[h,c]),c?u`<${R} error=${c} />`:h?u`
    <div class="unit-head">
      <p class="path"><a href="../index.html">${a.model}</a> › ${s.name} › </p>
      <h2 class="unit-name">unit ${e}</h2>
      <${ds} ...${{unit:e,data:n}} />
      <div class="unit-keys">
        <button type="button" onClick=${()=>f(-1)} title="Previous unit (←)" aria-label="Previous unit">←</button>
        <button type="button" onClick=${()=>f(1)} title="Next unit (→)" aria-label="Next unit">→</button>
        <input type="number" id="jump" ref=${p} min="0" max=${n.count-1} placeholder="unit" aria-label="Go to unit (j)"
          onKeyDown=${$=>$.key==="Enter"&&$.target.value!==""&&C({unit:Math.min(n.count-1,Math.max(0,Math.trunc($.target.valueAsNumber)))})} />
        <${ue} text=${()=>location.href}>Copy link<//>
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
              ${l.map($=>u`<button type="button" key=${$} aria-pressed=${String(_===$)}
                onClick=${()=>C({view:$==="crop"?null:$},{replace:!0})}>${Zt[$]}</button>`)}
            </div>`}
          </div>
          <${nn} ...${{record:r,layer:s,mode:_,site:a,state:i,data:n}} />
        </section>
        ${s.has_patches&&u`<${ps} ...${{record:r,mode:_,site:a}} />`}
      </div>
      ${s.other&&u`<${bs} ...${{unit:e,layer:s,site:a,slug:o,mode:_,state:i}} />`}
      <div class="stack">
        ${r.histogram&&u`<section class="card" aria-labelledby="values-title">
          <h3 id="values-title">Values at all positions of all images</h3>
          <${Gt} ...${r.histogram} />
        </section>`}
        <${ms} ...${{record:r,layer:s,site:a,state:i}} />
        ${r.matters&&u`<${_s} ...${r.matters} />`}
      </div>
    </div>
    ${r.similar.length+r.similar_weights.length>0&&u`<${$s} ...${{record:r,data:n,layer:s,slug:o}} />`}
    <${vs} ...${{unit:e,record:r,data:n,layer:s,site:a,slug:o}} />`:u`<div class="unit-head"><h2 class="unit-name">unit ${e}</h2></div>`}function ds({unit:e,data:t}){let n=t.duplicates[e];return u`
    ${t.dead.includes(e)&&u`<span class="badge bad" title="above zero at no position of any image">dead</span>`}
    ${t.silent.includes(e)&&u`<span class="badge" title="fires in less than 1 % of the images">silent</span>`}
    ${n!==void 0&&u`<a class="badge" href=${Ne({unit:n})}
      title="nearly the same top patches">near-duplicate of ${n}</a>`}`}function tn({unit:e,data:t,record:n,layer:s}){let a=i=>t.columns[i]?.[e],o=[["maximum",x(a("max")),`rank ${E(n.rank)} of ${E(t.count)}`],["mean",x(a("mean"))],["fires in",W(a("fires")),"of the images"],["active at",W(a("active")),"of the positions"],["selectivity",x(a("selectivity"),2),"0 to 1"],["prominence",x(a("prominence"),2)]].filter(([,i])=>i!=="–");return u`<dl class="facts unit-facts">
    ${o.map(([i,r,c])=>u`<div key=${i}><dt>${i}</dt>
      <dd>${r} ${c&&u`<small>${c}</small>`}</dd></div>`)}
    ${s.field&&u`<div><dt>receptive field</dt><dd>${s.field.replace(/ pixels of the model's input$/,"")} <small>input pixels</small></dd></div>`}
  </dl>`}function nn({record:e,layer:t,mode:n,site:s,state:a,data:o}){if(!t.has_patches)return u`<p class="note">The run has no patches of this layer.</p>`;if(!e.patches.length)return u`<p class="note">No image activates this unit, so it has no patches.</p>`;let i=e.patches[0].value;return u`<ol class="patches is-${n}">
    ${e.patches.map((r,c)=>u`<li key=${c}>
      <${ot} ...${{patch:r,rank:c,mode:n,site:s,highest:i,guided:t.guided&&e.guided!==null?{...t.guided,row:e.guided,rank:c}:null,isMeant:hs(r,s,a)}} />
    </li>`)}
  </ol>
  ${n==="whole"&&u`<p class="note">The box is the part of the photo that the unit sees and the model was given.</p>`}
  ${n==="guided"&&u`<p class="note">Guided gradients are sharp, but depend little on the weights: they show which pixels the unit can see, not why it fires.</p>`}`}function ps({record:e,mode:t,site:n}){let{peaks:s}=e;return s?u`<section class="card" aria-labelledby="peaks-title">
    <h3 id="peaks-title">Highest value of every image</h3>
    <${Xt} ...${s} />
    <p class="note">Images in bins of equal width; heights are logarithmic, lines mark the examples.</p>
    <div class="strata">
      ${s.strata.map(a=>u`<${fs} key=${a.share} ...${{...a,mode:t,site:n,total:s.counts.reduce((o,i)=>o+i,0)}} />`)}
    </div>
  </section>`:e.patches.length>0&&u`<section class="card"><h3>Highest value of every image</h3>
      <p class="note">This run does not hold the highest values of all images.</p></section>`}function fs({share:e,examples:t,mode:n,site:s,total:a}){let[o]=F(()=>Promise.all(t.map(({row:c})=>c===null?null:ce(c))),[t]),i=t.map(({rank:c})=>c),r=`${E(i[0])}${i.length>1?`–${E(i.at(-1))}`:""}`;return u`<div>
    <h4>${nt(e)} <small>rank ${r} of ${E(a)}</small></h4>
    <ol class="examples">
      ${t.map((c,p)=>u`<li key=${p}><${ot} ...${{patch:{...c,image:o?.[p]??null},rank:c.rank-1,mode:n==="guided"?"crop":n,site:s,guided:null,isMeant:!0,isLoading:!o}} /></li>`)}
    </ol>
  </div>`}function hs(e,t,n){if(!n.class||!e.image||e.image.label===null)return!0;let s=t.classes[e.image.label]??"";return!t.classes.some(o=>o.toLowerCase().includes(n.class.toLowerCase()))||s.toLowerCase().includes(n.class.toLowerCase())}function ms({record:e,layer:t,site:n,state:s}){if(!e.classes.length)return u`<section class="card"><h3>Classes</h3><p class="note">
      ${n.classes.length?"No class makes this unit fire.":"The images have no labels, so there are no classes."}</p></section>`;let a=Math.max(...e.classes.map(o=>o.lift));return u`<section class="card" aria-labelledby="classes-title">
    <h3 id="classes-title">Classes it fires for</h3>
    <ol class="bars">
      ${e.classes.map(o=>{let i=n.classes[o.class]??String(o.class),r=s.class===i;return u`<li key=${o.class}>
          <button type="button" aria-pressed=${String(r)} onClick=${()=>C({class:r?null:i})}>
            <span class="bar-name">${i}</span>
            <span class="bar-line"><svg aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none"><rect width=${100*o.lift/a} height="6" /></svg></span>
            <span class="bar-value">${x(o.lift,2)} ×</span>
            <span class="bar-count">${o.count} of ${o.of}</span>
          </button></li>`})}
    </ol>
    <p class="note">Lift: ${t.meaning}. A click filters patches and units.</p>
  </section>`}function _s({images:e,set_to:t,classes:n}){let s=Math.max(...n.map(({drop:a})=>a));return u`<section class="card" aria-labelledby="matters-title">
    <h3 id="matters-title">Classes it matters for</h3>
    ${n.length===0&&u`<p class="note">No score drops without it.</p>`}
    <ol class="bars">
      ${n.map(({name:a,drop:o})=>u`<li key=${a} class="bar-row">
        <span class="bar-name">${a}</span>
        <span class="bar-line"><svg aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none"><rect width=${100*o/s} height="6" /></svg></span>
        <span class="bar-value">${x(o,2)}</span>
      </li>`)}
    </ol>
    <p class="note">Drop of the score when the unit is set to ${t}, ${e===1?"on one image":`mean over ${E(e)} images`}.</p>
  </section>`}function $s({record:e,data:t,layer:n,slug:s}){let a=e.patches.length;return u`<section class="card" aria-labelledby="similar-title">
    <h3 id="similar-title">Similar units</h3>
    <div class="similar-rows">
      <${Yt} title="by common top images" ...${{layer:n,slug:s}}
        entries=${e.similar.map(({unit:o,shared:i})=>[o,`${i} of ${a}`])} />
      <${Yt} title=${`by incoming weights (cosine, ${n.weights})`} ...${{layer:n,slug:s}}
        entries=${e.similar_weights.map(({unit:o,cosine:i})=>[o,i.toFixed(2)])} />
    </div>
  </section>`}function Yt({title:e,entries:t,layer:n,slug:s}){return t.length?u`<div><h4>${e}</h4><ul class="similar">
    ${t.map(([a,o])=>u`<li key=${a}><a href=${Ne({unit:a})}>
      <${gs} ...${{unit:a,layer:n,slug:s}} /><b>${a}</b> <span>${o}</span></a></li>`)}
  </ul></div>`:null}function gs({unit:e,layer:t,slug:n}){let s=document.querySelector(`#sheet [data-unit="${e}"] .tile`),a=e%512,o=s?.className??(t.sheets.length?`tile ${n}-${Math.floor(e/512)} x${a%32} y${Math.floor(a/32)}`:"tile missing");return u`<span class=${o}></span>`}function bs({unit:e,layer:t,site:n,slug:s,mode:a,state:o}){let{other:i}=t,[r,c]=F(async()=>{if(e>=i.count)return null;let p=await I(`layer/${s}/other`);return{data:p,record:await De(s,e,p,"other")}},[e]);return c?u`<${R} error=${c} />`:r===void 0?null:u`<section class="card" aria-labelledby="other-title">
    <div class="card-head"><h3 id="other-title">The same unit in ${i.run} (${i.model})</h3></div>
    ${r===null?u`<p class="note">This run has no such unit.</p>`:u`
      <${nn} ...${{record:{...r.record,guided:null},layer:{has_patches:!0},mode:a==="guided"?"crop":a,site:n,state:o}} />
      <${tn} ...${{unit:e,data:r.data,record:r.record,layer:{field:""}}} />`}
  </section>`}function vs({unit:e,record:t,data:n,layer:s,site:a,slug:o}){let i=`${s.shell} ${/^[\w.\-/]+$/.test(s.name)?s.name:`'${s.name.replaceAll("'","'\\''")}'`} --unit ${e}`,r=`convviz.open_run(${JSON.stringify(s.run)}).draw("patches", ${JSON.stringify(s.name)}, units=${e})`,c=t.patches.map((l,_)=>[_+1,l.value,l.image?.name,l.image?.label===null?"":a.classes[l.image?.label],...l.position??["",""],...l.box??["","","",""]]),p=["rank","activation","image","class","y","x","x0","y0","x1","y1"],d=`${o}-unit-${e}`,f=Object.fromEntries(Object.entries(n.columns).map(([l,_])=>[l,_[e]])),h=()=>JSON.stringify({layer:s.name,...t,numbers:f,provenance:s.provenance},null,1);return u`<section class="card source" aria-labelledby="source-title">
    <div class="card-head"><h3 id="source-title">Get it</h3>
      <div class="bar-of-controls">
        <button type="button" onClick=${()=>Ye(`${d}.csv`,At(p,c),"text/csv")}>CSV</button>
        <button type="button" onClick=${()=>Ye(`${d}.json`,h(),"application/json")}>JSON</button>
      </div></div>
    <div class="lines">
      <code>${i}</code><${ue} text=${i}>Copy<//>
      <code>${r}</code><${ue} text=${r}>Copy<//>
    </div>
    <dl class="facts small">
      ${Object.entries(s.provenance).map(([l,_])=>u`<div key=${l}><dt>${l}</dt>
        <dd class="plain">${l==="weights"?u`<code>${_.slice(0,16)}</code>`:_}</dd></div>`)}
    </dl>
  </section>`}var ys={all:"all units",alive:"units that fire",dead:"dead units",silent:"silent units",twins:"near-duplicates"};function ws(e,t,n){let s=new Set(e.dead),a=new Set(e.silent),o=new Set(Object.entries(e.duplicates).flat().map(Number)),i={all:()=>!0,alive:h=>!s.has(h),dead:h=>s.has(h),silent:h=>a.has(h),twins:h=>o.has(h)}[n.show]??(()=>!0),r=(n.class??"").trim().toLowerCase(),c=new Set;r&&t.classes.forEach((h,l)=>h.toLowerCase().includes(r)&&c.add(l));let p=h=>!r||String(h)===r||(e.classes[h]??[]).some(l=>c.has(l)),d=[...Array(e.count).keys()].filter(h=>i(h)&&p(h)),f=e.columns[n.sort];return f?d.sort((h,l)=>(f[l]??-1/0)-(f[h]??-1/0)||h-l):d}var at=class{constructor(t,n,s){this.list=t,this.data=n,this.dead=new Set(s),this.tiles=new Map;for(let a of t.children)this.tiles.set(Number(a.firstElementChild.dataset.unit),a);this.key=`undefined ${[...this.tiles.keys()].join()}`}show(t,n){let s=`${n} ${t.join()}`;if(s===this.key)return;this.key=s;let a=this.data.columns[n]??this.data.columns.max;for(let o of t){let i=n&&n!=="unit"?x(a[o]):this.textOf(o);this.tiles.get(o).firstElementChild.lastElementChild.textContent=i}this.list.replaceChildren(...t.map(o=>this.tiles.get(o)))}textOf(t){return this.dead.has(t)?"dead":x(this.data.columns.max[t])}mark(t){this.list.querySelector("[aria-current]")?.removeAttribute("aria-current");let n=this.tiles.get(t)?.firstElementChild;if(!n)return;n.setAttribute("aria-current","true");let[s,a]=[n.getBoundingClientRect(),this.list.getBoundingClientRect()];(s.top<a.top||s.bottom>a.bottom)&&(this.list.scrollTop+=(s.top+s.bottom-a.top-a.bottom)/2)}};function xs({data:e,sorts:t,site:n,units:s,counts:a}){let o=B(),i=j(null);q({"/":()=>i.current?.focus()});let r=Object.entries(ys).filter(([c])=>c==="all"||a[c]);return u`
    <label class="field">Sort by
      <select id="sort" value=${o.sort??"unit"}
        onChange=${c=>C({sort:c.target.value==="unit"?null:c.target.value})}>
        ${Object.entries(t).map(([c,p])=>u`<option key=${c} value=${c}>${p}</option>`)}
      </select>
    </label>
    ${r.length>1&&u`<label class="field">Show
      <select id="show" value=${o.show??"all"}
        onChange=${c=>C({show:c.target.value==="all"?null:c.target.value})}>
        ${r.map(([c,p])=>u`<option key=${c} value=${c}>${p}</option>`)}
      </select>
    </label>`}
    <label class="field grow">Find
      <input id="find" type="search" ref=${i} value=${o.class??""} list="class-names"
        placeholder=${n.classes.length?"class or number":"number"}
        onInput=${c=>C({class:c.target.value},{replace:!0})} />
    </label>
    <datalist id="class-names">
      ${a.classes.map(c=>u`<option key=${c} value=${n.classes[c]}></option>`)}
    </datalist>
    <span class="muted small" role="status">${s.length===e.count?"":`${s.length} of ${e.count} units`}</span>`}async function sn(){let e=document.getElementById("layer"),t=document.getElementById("controls"),n=document.getElementById("unit"),{slug:s}=e.dataset,a,o,i;try{[a,o,i]=await Promise.all([oe(),I(`layer/${s}/units`),I(`layer/${s}/layer`)])}catch(f){return H(u`<${R} error=${f} />`,t),T()}let r=new at(document.getElementById("sheet"),o,o.dead),c={alive:o.dead.length?o.count-o.dead.length:0,dead:o.dead.length,silent:o.silent.length,twins:Object.keys(o.duplicates).length,classes:[...new Set(o.classes.flat())].sort((f,h)=>a.classes[f]<a.classes[h]?-1:1)},p=JSON.parse(t.dataset.sorts),d=()=>{let f=le(),h=ws(o,a,f),l=/^\d+$/.test(f.unit??"")&&Number(f.unit)<o.count?Number(f.unit):null;r.show(h,f.sort),e.classList.toggle("split",l!==null),n.hidden=l===null,r.mark(l),H(u`<${xs} ...${{data:o,sorts:p,site:a,units:h,counts:c}} />`,t),H(l===null?null:u`<${en} ...${{unit:l,units:h,data:o,layer:i,site:a,slug:s}} />`,n),l===null&&T()};r.list.addEventListener("click",f=>{let h=f.target.closest("a[data-unit]");!h||f.ctrlKey||f.metaKey||f.shiftKey||(f.preventDefault(),C({unit:h.dataset.unit}),matchMedia("(max-width: 66rem)").matches&&scrollTo(0,0))}),r.list.addEventListener("pointerover",f=>{let h=f.target.closest("a[data-unit]");h&&Qt(s,Number(h.dataset.unit),o)}),me(d),d()}var ks=()=>{Te(),T()},Cs={benchmark:ks,dataset:Ot,image:Wt,images:zt,layer:sn},on=Cs[document.body.dataset.page];on?on():T();})();
